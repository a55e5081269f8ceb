-- What is paid for beside tokens, and the tries before the one that the row is about.
ALTER TABLE spend_logs ADD COLUMN input_images INTEGER NOT NULL DEFAULT 0;
ALTER TABLE spend_logs ADD COLUMN queries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE spend_logs ADD COLUMN images_made INTEGER NOT NULL DEFAULT 0;
ALTER TABLE spend_logs ADD COLUMN tries TEXT; -- deployment;status=N with commas between them
