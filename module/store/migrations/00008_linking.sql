-- Both SQLite and PostgreSQL run this file: keep to what they share.

-- +goose Up
ALTER TABLE sso_links ADD COLUMN email TEXT    NOT NULL DEFAULT '';    -- as the provider had it last
ALTER TABLE sso_links ADD COLUMN added BOOLEAN NOT NULL DEFAULT FALSE; -- by the person, while signed in

ALTER TABLE sessions ADD COLUMN proved_at BIGINT NOT NULL DEFAULT 0;   -- when the person proved to the provider who they are
