-- Both SQLite and PostgreSQL run this file: keep to what they share.

-- +goose Up
-- Signing in takes a while, and its provider may say meanwhile that it is over.
CREATE TABLE provider_logouts (
	id BYTEA  NOT NULL PRIMARY KEY, -- hash of whose sessions, or which one, it ended
	at BIGINT NOT NULL              -- when the provider last said so
);
CREATE INDEX provider_logouts_at ON provider_logouts (at);
