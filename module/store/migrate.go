package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

// ErrNewer: a newer version of the gateway has changed the tables.
var ErrNewer = errors.New("was written by a newer version of the gateway")

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migrate brings the tables to the newest form this version knows. Each step
// is one transaction, so a process that dies in between leaves a whole one.
func migrate(ctx context.Context, dialect goose.Dialect, db *sql.DB) error {
	steps, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return err
	}
	return migrateWith(ctx, dialect, db, steps)
}

func migrateWith(ctx context.Context, dialect goose.Dialect, db *sql.DB, steps fs.FS) error {
	provider, err := goose.NewProvider(dialect, db, steps)
	if err != nil {
		return fmt.Errorf("reading the migrations: %w", err)
	}
	current, known, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("reading the version of the tables: %w", err)
	}
	if current > known {
		return fmt.Errorf("%w: its tables have version %d, this one knows %d", ErrNewer, current, known)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrating the tables from version %d to %d: %w", current, known, err)
	}
	return nil
}
