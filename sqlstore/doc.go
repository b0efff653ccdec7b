// Package sqlstore keeps users in SQLite, MySQL, MariaDB or PostgreSQL, through
// database/sql: in a table that the application has, or in one of its own. [Store]
// implements [scangate.UserStore].
//
// The package imports no driver. The application imports one and opens the database, or
// gets it from its ORM:
//
//	db, err := sql.Open("pgx", dsn)
//	users, err := sqlstore.New(db, sqlstore.PostgreSQL, sqlstore.Table{
//		Name: "members", ID: "id", Nickname: "name", Phone: "mobile", Disabled: "banned",
//	})
//	err = users.Migrate(ctx)
//	gate, err := scangate.New(scangate.Config{Users: users})
//
// An application without a table of users leaves the [Table] out.
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
// # The application's own table
//
// [Table] describes it. The store reads and writes the rows of the table, and never changes
// its form. Other programs may write to it at the same time. Beside it, [Store.Migrate]
// creates
//
//	scangate_identities  app_id, open_id, union_id, user_id
//	scangate_unionids    union_id, user_id
//	scangate_ended       user_id, sessions_ended_at; unless Table.SessionsEndedAt is set
//
// [Prefix] changes the names. An application with migrations of its own copies the
// statements of [Schema] into them. Times are microseconds since 1970 in UTC. A missing
// union_id is NULL. An identity with a union_id refers to a row of scangate_unionids, which
// holds the owner of the UnionID.
//
// The application may delete a row, or mark it as deleted by the condition Table.Where. The
// identities that the row had are then free: the person can register again. The database
// must never give the ID of a deleted row again, because the identities and sessions of its
// user could then belong to another. On SQLite, such a column is INTEGER PRIMARY KEY
// AUTOINCREMENT. If the database does give IDs again, set Table.IDType, so that foreign keys
// delete the identities, or delete users by [Store.Delete] only.
//
// The column of phone numbers needs a unique index. Without it, two calls at the same time
// may give one number to two users. A number that several rows have is an error when it is
// looked up. Numbers in other forms than E.164 and that of Table.PhonePrefix have to be
// rewritten first.
//
// # The store's own table
//
// Without a Table, Migrate also creates
//
//	scangate_users       id, nickname, avatar_url, phone, disabled, sessions_ended_at, created_at
//
// It belongs to the application, which may add columns, tables that refer to it, and rows
// for the users that it already has. A missing phone is NULL. To disable a user:
//
//	UPDATE scangate_users SET disabled = TRUE WHERE phone = '+8613800138000'
//
// Deleting a row also deletes the user's identities and UnionIDs (on SQLite only if
// foreign_keys is on). Never use the ID of a deleted user again.
//
// # Moved accounts
//
// An official account that is migrated (账号迁移) gets another AppID, and its followers get
// other openids. Accounts that are bound to another Open Platform account get other
// unionids. The examples of [Store.LinkWeChat] are recipes for both.
//
// # Columns and privileges
//
// Identifiers are compared byte for byte. The columns hold UTF-8 without U+0000:
// identifiers of up to 255 bytes, nicknames and avatar URLs of up to 1024. A look-up of
// anything else finds no user, and writing it is an error.
//
// The store needs the privileges SELECT, INSERT, UPDATE and DELETE on its own tables and
// the application's. Migrate also needs CREATE and REFERENCES. Connect the store to the primary: a read
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
