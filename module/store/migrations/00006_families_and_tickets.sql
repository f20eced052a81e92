-- Both SQLite and PostgreSQL run this file: keep to what they share.

-- +goose Up
-- Without a portal each session is a family of its own.
ALTER TABLE sessions ADD COLUMN family BYTEA;
UPDATE sessions SET family = id;
CREATE INDEX sessions_family ON sessions (family);

CREATE TABLE tickets (
	id         BYTEA  NOT NULL PRIMARY KEY, -- hash of what is in the address
	session    BYTEA  NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
	origin     TEXT   NOT NULL,             -- of the site that it is good for
	binding    BYTEA  NOT NULL,             -- hash of what the browser has there in a cookie
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE INDEX tickets_session ON tickets (session);
CREATE INDEX tickets_expires ON tickets (expires_at);
