-- Both SQLite and PostgreSQL run this file: keep to what they share.

-- +goose Up
ALTER TABLE sessions ADD COLUMN second_factor TEXT    NOT NULL DEFAULT '';    -- how the passcode was made
ALTER TABLE sessions ADD COLUMN trusted       BOOLEAN NOT NULL DEFAULT FALSE; -- given earlier, in a browser trusted since
UPDATE sessions SET second_factor = 'app' WHERE second_factor_at > 0;         -- there was nothing else
ALTER TABLE trusted_devices ADD COLUMN method TEXT NOT NULL DEFAULT 'app';
