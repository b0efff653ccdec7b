// Package sqlstore keeps users in SQLite, MySQL, MariaDB or PostgreSQL, through
// database/sql. [Store] is a [scangate.UserStore].
//
// It imports no driver: the application opens the database with the one of its
// choice.
//
//	db, err := sql.Open("pgx", dsn)
//	users, err := sqlstore.New(db, sqlstore.PostgreSQL)
//	err = users.Migrate(ctx)
//	gate, err := scangate.New(scangate.Config{Users: users})
//
// # Guarantees
//
// What is unique is so by the database's own constraints: an OpenID at its
// AppID, a UnionID, a number. It holds among any number of processes that share
// the database, and against whatever else writes to it.
//
// [Store.FindByID], which runs on every request, is one read by primary key; the
// other look-ups are one query each, by indexes alone. Changes are short
// transactions. One that fails because of another, by a deadlock, a busy
// database or a row that has just come to be, is begun again a few times.
//
// No error quotes what was looked up or written, also where the driver's does.
//
// # Tables
//
// There are three, and they are the application's own: it may add columns and
// tables that refer to them, and rows of people it knows already.
//
//	scangate_users       id, nickname, avatar_url, phone, disabled, sessions_ended_at, created_at
//	scangate_identities  app_id, open_id, union_id, user_id
//	scangate_unionids    union_id, user_id
//
// [Prefix] changes their names. [Store.Migrate] creates them; whoever has
// migrations of their own takes [Schema] into them. A phone or union_id that
// somebody does not have is NULL. Times are microseconds since 1970 in UTC. An
// identity with a union_id needs the row of it in scangate_unionids, which says
// whose it is.
//
// To bar somebody set disabled:
//
//	UPDATE scangate_users SET disabled = TRUE WHERE phone = '+8613800138000'
//
// Removing a row of scangate_users removes all of the user (on SQLite if
// foreign_keys is on). An id must not be given again.
//
// Identifiers are compared byte for byte. They may be any UTF-8 without U+0000 of
// up to 255 bytes, names and avatar URLs of up to 1024; anything else is found
// by nobody, and writing it is an error.
//
// The store needs the privileges SELECT, INSERT, UPDATE and DELETE on the
// tables; Migrate needs CREATE and REFERENCES besides. Every read has to see
// what was written before: give it the primary, not a replica.
//
// # SQLite
//
// Let readers go on beside a writer and writers wait for each other, and have
// foreign keys enforced. With modernc.org/sqlite:
//
//	file:app.db?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)
//
// Without busy_timeout, reads fail while another process or connection commits;
// or use one connection, by db.SetMaxOpenConns(1). No _txlock is needed, as the
// store's transactions begin with a write.
//
// # MySQL and MariaDB
//
// With github.com/go-sql-driver/mysql:
//
//	app:secret@tcp(127.0.0.1:3306)/app?interpolateParams=true&timeout=5s&readTimeout=10s&writeTimeout=10s
//
// interpolateParams saves a round trip on every query. The connection's character
// set has to be utf8mb4, which is that driver's default, and binlog_format, if
// there is a binary log, ROW or MIXED. Identifiers are in VARBINARY columns, as
// every collation that MySQL and MariaDB share takes "a" for "a " with a space;
// to read them, CONVERT(open_id USING utf8mb4).
//
// # PostgreSQL
//
// With github.com/jackc/pgx/v5/stdlib nothing is to be set. Behind a pooler in
// transaction mode add default_query_exec_mode=exec.
package sqlstore
