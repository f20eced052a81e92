-- Both SQLite and PostgreSQL run this file: keep to what they share.

-- +goose Up
ALTER TABLE flows ADD COLUMN method       TEXT   NOT NULL DEFAULT '';
ALTER TABLE flows ADD COLUMN phone        TEXT   NOT NULL DEFAULT '';
ALTER TABLE flows ADD COLUMN code         BYTEA;                      -- hash of the code sent last
ALTER TABLE flows ADD COLUMN code_expires BIGINT NOT NULL DEFAULT 0;
ALTER TABLE flows ADD COLUMN sent         BIGINT NOT NULL DEFAULT 0;  -- how many codes
ALTER TABLE flows ADD COLUMN sent_at      BIGINT NOT NULL DEFAULT 0;

CREATE TABLE trusted_devices (
	id         BYTEA  NOT NULL PRIMARY KEY,
	account_id TEXT   NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	address    TEXT   NOT NULL,
	browser    TEXT   NOT NULL,
	created_at BIGINT NOT NULL,
	used_at    BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE INDEX trusted_devices_account ON trusted_devices (account_id);
CREATE INDEX trusted_devices_expires ON trusted_devices (expires_at);
