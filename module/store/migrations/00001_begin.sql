-- Both SQLite and PostgreSQL run this file: keep to what they share.
-- Times are microseconds since 1970 in UTC, 0 for "never"; durations are
-- microseconds. BYTEA is a type to PostgreSQL and only a name to SQLite.

-- +goose Up
CREATE TABLE accounts (
	id              TEXT    NOT NULL PRIMARY KEY,
	email_key       TEXT    NOT NULL UNIQUE, -- identity.EmailKey
	role            TEXT    NOT NULL,
	attributes      TEXT    NOT NULL,        -- identity.Attributes as JSON
	suspended       BOOLEAN NOT NULL,
	epoch           BIGINT  NOT NULL,
	created_at      BIGINT  NOT NULL,
	updated_at      BIGINT  NOT NULL,
	last_sign_in_at BIGINT  NOT NULL
);
CREATE INDEX accounts_role ON accounts (role);

-- Ids of removed accounts: they are never given to anyone else.
CREATE TABLE removed_accounts (
	id TEXT NOT NULL PRIMARY KEY
);

CREATE TABLE sso_links (
	issuer     TEXT   NOT NULL,
	subject    TEXT   NOT NULL,
	account_id TEXT   NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	sso        TEXT   NOT NULL,
	created_at BIGINT NOT NULL,
	used_at    BIGINT NOT NULL,
	PRIMARY KEY (issuer, subject)
);
CREATE INDEX sso_links_account ON sso_links (account_id);

CREATE TABLE passwords (
	account_id TEXT   NOT NULL PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
	hash       TEXT   NOT NULL,
	set_at     BIGINT NOT NULL
);

CREATE TABLE factors (
	id         TEXT    NOT NULL PRIMARY KEY,
	account_id TEXT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	method     TEXT    NOT NULL,
	secret     BYTEA,                        -- sealed
	address    TEXT    NOT NULL,
	required   BOOLEAN NOT NULL,
	preferred  BOOLEAN NOT NULL,
	step       BIGINT  NOT NULL,
	created_at BIGINT  NOT NULL,
	used_at    BIGINT  NOT NULL
);
CREATE INDEX factors_account ON factors (account_id);

CREATE TABLE recovery_codes (
	account_id TEXT   NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	hash       BYTEA  NOT NULL,
	created_at BIGINT NOT NULL,
	spent_at   BIGINT NOT NULL,
	PRIMARY KEY (account_id, hash)
);

CREATE TABLE flows (
	id          BYTEA   NOT NULL PRIMARY KEY,
	account_id  TEXT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	epoch       BIGINT  NOT NULL,
	stage       TEXT    NOT NULL,
	audience    TEXT    NOT NULL,
	return_to   TEXT    NOT NULL,
	session     BYTEA,
	secret      BYTEA,                       -- sealed
	tries       BIGINT  NOT NULL,
	must_change BOOLEAN NOT NULL,
	password_at BIGINT  NOT NULL,
	created_at  BIGINT  NOT NULL,
	expires_at  BIGINT  NOT NULL
);
CREATE INDEX flows_account ON flows (account_id);
CREATE INDEX flows_expires ON flows (expires_at);

CREATE TABLE sessions (
	id               BYTEA  NOT NULL PRIMARY KEY,
	account_id       TEXT   NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	epoch            BIGINT NOT NULL,
	sso              TEXT   NOT NULL,
	audience         TEXT   NOT NULL,
	signed_in_at     BIGINT NOT NULL,
	second_factor_at BIGINT NOT NULL,
	created_at       BIGINT NOT NULL,
	seen_at          BIGINT NOT NULL,
	idle_timeout     BIGINT NOT NULL,
	expires_at       BIGINT NOT NULL,
	ends_at          BIGINT NOT NULL,        -- the earlier of idle and absolute end
	address          TEXT   NOT NULL,
	browser          TEXT   NOT NULL
);
CREATE INDEX sessions_account ON sessions (account_id);
CREATE INDEX sessions_ends ON sessions (ends_at);

CREATE TABLE one_time_links (
	id         BYTEA  NOT NULL PRIMARY KEY,
	account_id TEXT   NOT NULL UNIQUE REFERENCES accounts (id) ON DELETE CASCADE,
	purpose    TEXT   NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE INDEX one_time_links_expires ON one_time_links (expires_at);

CREATE TABLE failures (
	id      TEXT   NOT NULL PRIMARY KEY,     -- the key of GuessRows
	count   BIGINT NOT NULL,
	last_at BIGINT NOT NULL
);
CREATE INDEX failures_last ON failures (last_at);

CREATE TABLE used_states (
	id         BYTEA  NOT NULL PRIMARY KEY,
	expires_at BIGINT NOT NULL
);
CREATE INDEX used_states_expires ON used_states (expires_at);

-- No reference to accounts: the trail outlives them.
CREATE TABLE audit (
	id         BYTEA  NOT NULL PRIMARY KEY,  -- begins with the time, so it orders
	at         BIGINT NOT NULL,
	action     TEXT   NOT NULL,
	outcome    TEXT   NOT NULL,
	account_id TEXT   NOT NULL,
	actor      TEXT   NOT NULL,
	address    TEXT   NOT NULL,
	how        TEXT   NOT NULL,
	detail     TEXT   NOT NULL,
	error_id   TEXT   NOT NULL,
	count      BIGINT NOT NULL
);
CREATE INDEX audit_account ON audit (account_id, id);
