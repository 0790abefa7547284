INSERT IGNORE INTO b_language (LID, SORT, DEF, ACTIVE, NAME, CULTURE_ID) VALUES
  ('ru', 10, 'Y', 'Y', 'Russian', 1),
  ('en', 20, 'N', 'Y', 'English', 1);

INSERT IGNORE INTO b_lang (LID, SORT, DEF, ACTIVE, NAME, DIR, LANGUAGE_ID, DOC_ROOT, SERVER_NAME, SITE_NAME, EMAIL, CULTURE_ID) VALUES
  ('s1', 100, 'Y', 'Y', 'Портал', '/', 'ru', '', '', 'Портал', NULL, 1);

INSERT IGNORE INTO b_site_template (ID, SITE_ID, `CONDITION`, SORT, TEMPLATE) VALUES (1, 's1', '', 500, 'bitrix24');

INSERT IGNORE INTO b_group (ID, C_SORT, ANONYMOUS, IS_SYSTEM, NAME) VALUES
  (1, 10, 'N', 'Y', 'Администраторы'),
  (2, 20, 'Y', 'Y', 'Все пользователи'),
  (3, 30, 'N', 'Y', 'Голосующие за рейтинг'),
  (4, 40, 'N', 'Y', 'Зарегистрированные');

INSERT IGNORE INTO b_event_type (ID, LID, EVENT_NAME, NAME, SORT) VALUES
  (1, 'ru', 'USER_PASS_REQUEST', 'Запрос на смену пароля', 10),
  (2, 'ru', 'USER_INFO', 'Сведения об учётной записи', 20),
  (3, 'ru', 'NEW_USER', 'Новый пользователь', 30),
  (4, 'ru', 'IM_NEW_NOTIFY', 'Уведомление', 40);

INSERT IGNORE INTO b_event_message (ID, TIMESTAMP_X, EVENT_NAME, LID, ACTIVE, EMAIL_FROM, EMAIL_TO, SUBJECT, MESSAGE, BODY_TYPE) VALUES
  (1, NOW(), 'USER_PASS_REQUEST', 's1', 'Y', '#DEFAULT_EMAIL_FROM#', '#EMAIL#', '#SITE_NAME#: смена пароля',
   '#NAME# #LAST_NAME#, здравствуйте!\n\nЛогин: #LOGIN#\nНовый пароль задаётся по ссылке:\nhttp://#SERVER_NAME#/auth/?change_password=yes&lang=ru&USER_CHECKWORD=#CHECKWORD#&USER_LOGIN=#URL_LOGIN#\n\n#MESSAGE#', 'text'),
  (2, NOW(), 'USER_INFO', 's1', 'Y', '#DEFAULT_EMAIL_FROM#', '#EMAIL#', '#SITE_NAME#: учётная запись',
   '#NAME# #LAST_NAME#, здравствуйте!\n\n#MESSAGE#\n\nЛогин: #LOGIN#\nПароль задаётся по ссылке:\nhttp://#SERVER_NAME#/auth/?change_password=yes&lang=ru&USER_CHECKWORD=#CHECKWORD#&USER_LOGIN=#URL_LOGIN#', 'text'),
  (3, NOW(), 'NEW_USER', 's1', 'Y', '#DEFAULT_EMAIL_FROM#', '#DEFAULT_EMAIL_FROM#', '#SITE_NAME#: новый пользователь',
   'Пользователь #USER_ID# (#LOGIN#).', 'text'),
  (4, NOW(), 'IM_NEW_NOTIFY', 's1', 'Y', '#DEFAULT_EMAIL_FROM#', '#EMAIL#', '#SITE_NAME#: уведомление',
   '#MESSAGE#', 'text');

INSERT IGNORE INTO b_event_message_site (EVENT_MESSAGE_ID, SITE_ID) VALUES (1, 's1'), (2, 's1'), (3, 's1'), (4, 's1');

-- A box has agents from the beginning: by the last run of one it is seen that cron works.
INSERT INTO b_agent (MODULE_ID, SORT, NAME, ACTIVE, NEXT_EXEC, AGENT_INTERVAL, IS_PERIOD)
  SELECT 'main', 100, 'CEvent::CleanUpAgent();', 'Y', NOW(), 60, 'N' FROM DUAL
  WHERE NOT EXISTS (SELECT 1 FROM b_agent WHERE NAME = 'CEvent::CleanUpAgent();');

INSERT IGNORE INTO b_option (MODULE_ID, NAME, VALUE) VALUES
  ('main', 'upload_dir', 'upload'),
  ('main', 'site_name', 'Портал'),
  ('main', 'cookie_name', 'BITRIX_SM'),
  ('main', '~ft_b_user_index', 'a:1:{s:19:"SEARCH_USER_CONTENT";b:1;}');
