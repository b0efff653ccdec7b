// Package goredis keeps the state of scangate's logins, sessions and users in Redis over
// go-redis: on one server, on a master that Sentinels name, or on a Redis Cluster of
// version 7 or later. It is the same store as [scangate.RedisStore], which works over
// redigo and not on a Cluster: on one server both may be used at the same time.
//
// [New] makes its own client. A client of the application would not do, because the
// defaults of go-redis break the store's promises: it sends a command again after an
// error, when Redis may have run it already, and it ignores the deadlines of contexts.
//
// # Redis
//
// Without a Cluster, the commands, the permissions and the persistence that Redis needs
// are those of [scangate.RedisStore]. The Redis user also needs +hello, and +select for
// another database than 0.
//
// # Cluster
//
// Each record of a login, each counter and each session has a hash tag of its own, so
// that they spread over all servers. All commands go to masters. Each record has a
// channel of its own, in the record's slot: processes use SSUBSCRIBE, and the script that
// changes a record uses SPUBLISH. Both need Redis 7. For the prefix "scangate":
//
//	ACL SETUSER app on >password ~{scangate:* ~scangate:session:* &{scangate:* +ping
//		+eval +evalsha +exists +get +set +del +incr +pexpire +hget +hset +hmget
//		+spublish +ssubscribe +sunsubscribe +hello +cluster|slots +asking
//
// A Cluster keeps no users, because registering one changes keys in several slots, which
// is not one step there. Keep them in SQL, for example with package sqlstore.
//
// A failover of a master may lose its last changes, which ends the logins concerned.
package goredis
