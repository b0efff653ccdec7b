// Package orm is for applications whose table of users belongs to GORM or ent. Both
// return their *sql.DB, on which sqlstore works: in the same table, beside the ORM.
package orm

import (
	"context"
	"database/sql"
	"time"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"gorm.io/gorm"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/sqlstore"
)

// User is the application's model in GORM. Its table is users.
type User struct {
	gorm.Model        // ID, CreatedAt, UpdatedAt, DeletedAt
	Name       string `gorm:"size:64"`
	// Mobile is NULL without a number. A deleted row must not keep its number. MySQL has no
	// such index: there, put it on a generated column.
	Mobile *string `gorm:"size:20;uniqueIndex:,where:deleted_at IS NULL"`
	Banned bool    `gorm:"not null;default:false"`
}

// NewGORM returns a store on the table of [User]. GORM reads and writes the same rows.
func NewGORM(ctx context.Context, db *gorm.DB) (*sqlstore.Store, error) {
	sqlDB, err := db.DB()
	if err != nil {
		return nil, err
	}
	users, err := sqlstore.New(sqlDB, sqlstore.SQLite, sqlstore.Table{
		Name: "users", ID: "id", Nickname: "name", Phone: "mobile", PhonePrefix: "+86", Disabled: "banned",
		Where: "deleted_at IS NULL", Delete: "deleted_at = CURRENT_TIMESTAMP", Insert: times,
	})
	if err != nil {
		return nil, err
	}
	return users, users.Migrate(ctx)
}

// NewEnt returns a store on the table users of an ent client. It also returns the driver
// for the client:
//
//	client := ent.NewClient(ent.Driver(driver))
//
// An application that has opened the driver by entsql.Open gets its *sql.DB by
// driver.DB().
func NewEnt(ctx context.Context, db *sql.DB) (*sqlstore.Store, *entsql.Driver, error) {
	driver := entsql.OpenDB(dialect.SQLite, db)
	users, err := sqlstore.New(driver.DB(), sqlstore.SQLite, sqlstore.Table{
		Name: "users", ID: "id", IDType: "UUID", Nickname: "name", Phone: "mobile", Disabled: "status = 'banned'",
		// ent has defaults in Go, which the store cannot see.
		Insert: func(who scangate.NewUser) map[string]any {
			values := times(who)
			values["status"] = "active"
			return values
		},
	})
	if err != nil {
		return nil, nil, err
	}
	return users, driver, users.Migrate(ctx)
}

// times returns the times that an ORM sets in a new row.
func times(scangate.NewUser) map[string]any {
	now := time.Now()
	return map[string]any{"created_at": now, "updated_at": now}
}
