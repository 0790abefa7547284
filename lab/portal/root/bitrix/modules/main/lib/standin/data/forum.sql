INSERT IGNORE INTO b_forum (ID, NAME, SORT, XML_ID) VALUES (1, 'Задачи', 100, 'TASKS');

INSERT IGNORE INTO b_option (MODULE_ID, NAME, VALUE) VALUES ('tasks', 'task_forum_id', '1');
