INSERT IGNORE INTO b_option (MODULE_ID, NAME, VALUE) VALUES
  ('search', 'full_text_engine', 'mysql'),
  ('main', '~ft_b_search_content_text', 'a:1:{s:18:"SEARCHABLE_CONTENT";b:1;}');
