package orm

import (
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/glebarez/sqlite"
	"gorm.io/gorm"

	"github.com/scangate/scangate"
)

// ann returns a new user with a WeChat and a phone number.
func ann() scangate.NewUser {
	return scangate.NewUser{Identity: scangate.Identity{AppID: "wx0000000000000001", OpenID: "o-ann"}, Nickname: "Ann", Phone: "+8613800138000"}
}

// dsn returns the DSN of a new database.
func dsn(t *testing.T) string {
	t.Helper()
	return "file:" + filepath.Join(t.TempDir(), "users.db") + "?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)"
}

// TestGORM registers a user in the store, and changes and deletes the user in GORM.
func TestGORM(t *testing.T) {
	db, err := gorm.Open(sqlite.Open(dsn(t)), &gorm.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if sqlDB, err := db.DB(); err == nil {
		t.Cleanup(func() { _ = sqlDB.Close() })
	}
	if err := db.AutoMigrate(&User{}); err != nil {
		t.Fatal(err)
	}
	users, err := NewGORM(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	registered, err := users.Register(t.Context(), ann())
	if err != nil {
		t.Fatal(err)
	}
	var model User
	if err := db.Take(&model, registered.ID).Error; err != nil || model.Name != "Ann" || *model.Mobile != "13800138000" || model.CreatedAt.IsZero() {
		t.Errorf("GORM: user = %+v, %v, want Ann with 11 digits and a time", model, err)
	}
	if err := db.Model(&model).Update("banned", true).Error; err != nil {
		t.Fatal(err)
	}
	if got, err := users.FindByWeChat(t.Context(), ann().Identity); err != nil || !got.Disabled || got.Phone != ann().Phone {
		t.Errorf("FindByWeChat of a user banned in GORM = %+v, %v, want a disabled user with the number", got, err)
	}
	if err := db.Delete(&model).Error; err != nil { // a soft deletion
		t.Fatal(err)
	}
	if got, err := users.FindByID(t.Context(), registered.ID); !errors.Is(err, scangate.ErrNotFound) {
		t.Errorf("FindByID of a user deleted in GORM = %+v, %v, want ErrNotFound", got, err)
	}
	// A later migration of GORM works beside the store's tables.
	if err := db.AutoMigrate(&User{}); err != nil {
		t.Errorf("AutoMigrate beside the store's tables: %v, want no error", err)
	}
}

// TestGORMSeesDeletedUsers deletes a user in the store. GORM takes the user for deleted.
func TestGORMSeesDeletedUsers(t *testing.T) {
	db, err := gorm.Open(sqlite.Open(dsn(t)), &gorm.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if sqlDB, err := db.DB(); err == nil {
		t.Cleanup(func() { _ = sqlDB.Close() })
	}
	if err := db.AutoMigrate(&User{}); err != nil {
		t.Fatal(err)
	}
	users, err := NewGORM(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	registered, err := users.Register(t.Context(), ann())
	if err != nil {
		t.Fatal(err)
	}
	if err := users.Delete(t.Context(), registered.ID); err != nil {
		t.Fatal(err)
	}
	var all, left int64
	db.Unscoped().Model(&User{}).Count(&all)
	db.Model(&User{}).Count(&left)
	if all != 1 || left != 0 {
		t.Errorf("GORM after Delete: %d rows and %d users, want 1 and 0", all, left)
	}
	if again, err := users.Register(t.Context(), ann()); err != nil || again.ID == registered.ID {
		t.Errorf("Register after Delete = %+v, %v, want another user", again, err)
	}
}

// TestGORMFreesNumbers registers a person with the number of a user whom GORM has deleted.
func TestGORMFreesNumbers(t *testing.T) {
	db, err := gorm.Open(sqlite.Open(dsn(t)), &gorm.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if sqlDB, err := db.DB(); err == nil {
		t.Cleanup(func() { _ = sqlDB.Close() })
	}
	if err := db.AutoMigrate(&User{}); err != nil {
		t.Fatal(err)
	}
	users, err := NewGORM(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	who := ann()
	who.Phone = "+8613800138000"
	registered, err := users.Register(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Where("id = ?", registered.ID).Delete(&User{}).Error; err != nil {
		t.Fatal(err)
	}
	who.Identity.OpenID = "o_of_another_person"
	who.Identity.UnionID = ""
	if _, err := users.Register(t.Context(), who); err != nil {
		t.Errorf("Register with the number of a deleted user: %v, want no error", err)
	}
}

// entSchema is what ent's migration makes for these fields.
const entSchema = "CREATE TABLE `users` (`id` uuid NOT NULL, `name` text NOT NULL, `mobile` text NULL, `status` text NOT NULL, " +
	"`created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, PRIMARY KEY (`id`));" +
	"CREATE UNIQUE INDEX `users_mobile_key` ON `users` (`mobile`);"

// TestEnt registers a user in the store, and changes the user through ent's driver, as a
// client of generated code does.
func TestEnt(t *testing.T) {
	db, err := sql.Open("sqlite", dsn(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.ExecContext(t.Context(), entSchema); err != nil {
		t.Fatal(err)
	}
	users, driver, err := NewEnt(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	registered, err := users.Register(t.Context(), ann())
	if err != nil {
		t.Fatal(err)
	}
	update, args := entsql.Dialect(dialect.SQLite).Update("users").Set("status", "banned").Where(entsql.EQ("id", registered.ID)).Query()
	var result entsql.Result
	if err := driver.Exec(t.Context(), update, args, &result); err != nil {
		t.Fatal(err)
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		t.Errorf("ent: update of the registered user changed %d rows, %v, want 1", n, err)
	}
	if got, err := users.FindByPhone(t.Context(), ann().Phone); err != nil || got.ID != registered.ID || !got.Disabled {
		t.Errorf("FindByPhone of a user banned in ent = %+v, %v, want user %s, disabled", got, err, registered.ID)
	}
}
