// Package sqlstores tests sqlstore with the databases that it is for.
//
// SQLite is always there. The others are where the environment says, and the tests
// with them are skipped where it does not:
//
//	SCANGATE_MYSQL_DSN='user:password@tcp(127.0.0.1:3306)/empty?interpolateParams=true'
//	SCANGATE_POSTGRES_DSN='postgres://user:password@127.0.0.1/empty'
//
// The user has to be allowed to create tables. Each test makes tables of its own
// and drops them, so that nothing else in the database is touched. With
// SCANGATE_REQUIRE=mysql,postgres skipping is a failure.
package sqlstores
