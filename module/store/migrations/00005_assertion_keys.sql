-- Both SQLite and PostgreSQL run this file: keep to what they share.

-- +goose Up
CREATE TABLE assertion_keys (
	id         TEXT   NOT NULL PRIMARY KEY, -- thumbprint of the public key
	succeeds   TEXT   NOT NULL UNIQUE,      -- the key before it: one key follows another, however many make one
	secret     BYTEA  NOT NULL,             -- sealed
	signs_from BIGINT NOT NULL
);
