-- Both SQLite and PostgreSQL run this file: keep to what they share.

-- +goose Up
-- With the address, a report on a few reads those few, in their order.
DROP INDEX accounts_role;
CREATE INDEX accounts_role ON accounts (role, email_key);
