INSERT IGNORE INTO b_option (MODULE_ID, NAME, VALUE) VALUES ('disk', 'successfully_converted', 'Y');
