// Package sqlstores tests sqlstore with the databases that it supports.
//
// The tests always run with SQLite. They run with the other databases if the
// environment names a server, and skip them otherwise:
//
//	SCANGATE_MYSQL_DSN='user:password@tcp(127.0.0.1:3306)/empty?interpolateParams=true'
//	SCANGATE_POSTGRES_DSN='postgres://user:password@127.0.0.1/empty'
//
// The database user needs the right to create tables. Each test creates tables with a
// random prefix and drops them at the end. It touches nothing else in the database.
// With SCANGATE_REQUIRE=mysql,postgres a missing server fails the tests.
package sqlstores
