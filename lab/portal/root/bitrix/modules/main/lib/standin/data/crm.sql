INSERT IGNORE INTO b_crm_status (ID, ENTITY_ID, STATUS_ID, NAME, NAME_INIT, SORT, `SYSTEM`, SEMANTICS, CATEGORY_ID) VALUES
  (1, 'STATUS', 'NEW', 'Не обработан', 'Не обработан', 10, 'Y', NULL, 0),
  (2, 'STATUS', 'IN_PROCESS', 'В работе', 'В работе', 20, 'Y', NULL, 0),
  (3, 'STATUS', 'CONVERTED', 'Качественный лид', 'Качественный лид', 30, 'Y', 'S', 0),
  (4, 'STATUS', 'JUNK', 'Некачественный лид', 'Некачественный лид', 40, 'Y', 'F', 0);
