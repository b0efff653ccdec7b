// Package sqlstore keeps users in SQLite, MySQL, MariaDB or PostgreSQL, through
// database/sql. [Store] implements [scangate.UserStore].
//
// The package imports no driver. The application imports one and opens the database:
//
//	db, err := sql.Open("pgx", dsn)
//	users, err := sqlstore.New(db, sqlstore.PostgreSQL)
//	err = users.Migrate(ctx)
//	gate, err := scangate.New(scangate.Config{Users: users})
//
// # Guarantees
//
// The database's own constraints keep a phone number, a UnionID and an OpenID at its
// AppID unique. They hold among any number of processes that share the database, and
// against other programs that write to it.
//
// [Store.FindByID], which the gate calls on every request, reads one row by primary
// key. The other look-ups are one query each and use indexes only. Changes are short
// transactions. A transaction that fails because of another, through a deadlock, a busy
// database or a duplicate row, is run again, at most ten times in total.
//
// No error quotes a phone number, an OpenID or a UnionID, even if the driver's error
// does. An error's text is one line.
//
// # Tables
//
// The store uses three tables. They belong to the application, which may add columns,
// tables that refer to them, and rows for the users that it already has.
//
//	scangate_users       id, nickname, avatar_url, phone, disabled, sessions_ended_at, created_at
//	scangate_identities  app_id, open_id, union_id, user_id
//	scangate_unionids    union_id, user_id
//
// [Prefix] changes the names. [Store.Migrate] creates the tables; an application with
// migrations of its own copies the statements of [Schema] into them. A missing phone
// or union_id is NULL. Times are microseconds since 1970 in UTC. An identity with a
// union_id refers to a row of scangate_unionids, which holds the owner of the UnionID.
//
// To disable a user:
//
//	UPDATE scangate_users SET disabled = TRUE WHERE phone = '+8613800138000'
//
// Deleting a row of scangate_users also deletes the user's identities and UnionIDs (on
// SQLite only if foreign_keys is on). Never use the ID of a deleted user again.
//
// Identifiers are compared byte for byte. The columns hold UTF-8 without U+0000:
// identifiers of up to 255 bytes, nicknames and avatar URLs of up to 1024. A look-up of
// anything else finds no user, and writing it is an error.
//
// The store needs the privileges SELECT, INSERT, UPDATE and DELETE on the tables;
// Migrate also needs CREATE and REFERENCES. Connect the store to the primary: a read
// from a replica can miss an earlier write.
//
// # SQLite
//
// Turn on WAL, so that readers do not wait for a writer, a busy timeout, so that writers
// wait for each other, and foreign keys. With modernc.org/sqlite:
//
//	file:app.db?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)
//
// Without busy_timeout, reads fail while another process or connection commits. The
// alternative is a single connection: db.SetMaxOpenConns(1). _txlock is not needed,
// because the store's transactions begin with a write.
//
// # MySQL and MariaDB
//
// With github.com/go-sql-driver/mysql:
//
//	app:secret@tcp(127.0.0.1:3306)/app?interpolateParams=true&timeout=5s&readTimeout=10s&writeTimeout=10s
//
// interpolateParams saves a round trip per query. The connection's character set must be
// utf8mb4, which is the driver's default. If the server keeps a binary log,
// binlog_format must be ROW or MIXED. Identifiers are in VARBINARY columns, because
// every collation that MySQL and MariaDB share ignores trailing spaces. To read them,
// use CONVERT(open_id USING utf8mb4).
//
// # PostgreSQL
//
// github.com/jackc/pgx/v5/stdlib needs no settings. Behind a pooler in transaction mode,
// add default_query_exec_mode=exec.
package sqlstore
