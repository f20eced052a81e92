-- Both SQLite and PostgreSQL run this file: keep to what they share.

-- +goose Up
CREATE TABLE provider_sessions (
	session    BYTEA  NOT NULL PRIMARY KEY REFERENCES sessions (id) ON DELETE CASCADE,
	sso        TEXT   NOT NULL,
	issuer     TEXT   NOT NULL,
	subject    TEXT   NOT NULL,
	sid        TEXT   NOT NULL,              -- '' if the provider told none
	checked_at BIGINT NOT NULL,
	secret     BYTEA                         -- sealed; last, since it may be long
);
CREATE INDEX provider_sessions_subject ON provider_sessions (issuer, subject);
CREATE INDEX provider_sessions_sid ON provider_sessions (issuer, sid);
