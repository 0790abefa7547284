-- A queued letter and work that is due now, as a busy portal has them.
INSERT INTO b_event (EVENT_NAME, LID, C_FIELDS, DATE_INSERT, SUCCESS_EXEC, DUPLICATE)
VALUES ('USER_INFO', 's1', 'a:1:{s:5:"EMAIL";s:19:"client@example.test";}', NOW(), 'N', 'Y');
INSERT INTO b_agent (MODULE_ID, SORT, NAME, ACTIVE, NEXT_EXEC, AGENT_INTERVAL, IS_PERIOD)
VALUES ('', 100, 'hostile_outreach();', 'Y', NOW(), 1, 'N');
UPDATE b_agent SET NEXT_EXEC = NOW() - INTERVAL 1 HOUR, DATE_CHECK = NULL, RUNNING = 'N';
-- What an application may bring: no rule can know it.
CREATE TABLE b_acme_webhook (ID INT PRIMARY KEY, URL TEXT, API_TOKEN TEXT);
INSERT INTO b_acme_webhook VALUES (1, 'x', 's3cret-of-production');
