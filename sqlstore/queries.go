package sqlstore

// queries are a Store's statements, with its tables' names and its dialect's
// placeholders. Those about a column that the table lacks are empty.
type queries struct {
	firstWrite string // the first statement of each transaction, or empty

	userByID, userByWeChat, userByPhone       string
	lockUser, owners, phoneOwner, phoneInUse  string
	identitiesAtAccount, identitiesOfUser     string
	unionIDOwner, endedAt                     string
	insertIdentity, insertUnionID, insertEnd  string
	setUnionID, setPhone, setSessionsEndedAt  string
	deleteIdentity, deleteUnionID, deleteUser string
	forget                                    []string // delete a user's identities and UnionIDs
	allColumns                                []string // select no row of every column
}

const (
	userColumns     = `u.id, u.nickname, u.avatar_url, u.phone, u.disabled, {endedAt}`
	identityColumns = `i.app_id, i.open_id, i.union_id`
	// selectUser returns a row per identity of the user, or one row without.
	selectUser = `SELECT ` + userColumns + `, ` + identityColumns + ` FROM {users} u LEFT JOIN {identities} i ON i.user_id = u.id `
	// ifOrphan begins an expression for a row i of the store's. Its owner may be a row
	// that does not exist any more, or for which Table.Where does not hold.
	ifOrphan = `CASE WHEN NOT EXISTS (SELECT 1 FROM {table} m WHERE m.{id} = i.user_id{live}) THEN 'orphan' ELSE `
)

// queries returns the statements for the layout.
func (l layout) queries() queries {
	in := l.statement
	q := queries{
		userByID: in(`SELECT ` + userColumns + ` FROM {users} u WHERE u.id = {?}`),
		// COALESCE gives the owner of the OpenID precedence over that of the UnionID. An owner
		// that is gone has none: it would hide the other.
		userByWeChat: in(selectUser + `WHERE u.id = COALESCE(
			(SELECT i.user_id FROM {identities} i WHERE i.app_id = ? AND i.open_id = ? AND EXISTS (SELECT 1 FROM {table} m WHERE m.{id} = i.user_id{live})),
			(SELECT user_id FROM {unionids} WHERE union_id = ?))`),

		lockUser:            in(`SELECT {id} FROM {table} WHERE {id} = {?}{live}{forUpdate}`),
		identitiesAtAccount: in(`SELECT ` + identityColumns + `, i.user_id FROM {identities} i WHERE i.app_id = ? AND (i.open_id = ? OR i.user_id = {?})`),
		identitiesOfUser:    in(`SELECT ` + identityColumns + ` FROM {identities} i WHERE i.user_id = {?} ORDER BY i.app_id, i.open_id`),
		unionIDOwner:        in(`SELECT user_id FROM {unionids} WHERE union_id = ?`),

		insertUnionID:  in(`INSERT INTO {unionids} (union_id, user_id) VALUES (?, {?})`),
		insertIdentity: in(`INSERT INTO {identities} (app_id, open_id, union_id, user_id) VALUES (?, ?, ?, {?})`),
		setUnionID:     in(`UPDATE {identities} SET union_id = ? WHERE app_id = ? AND open_id = ?`),

		deleteIdentity: in(`DELETE FROM {identities} WHERE app_id = ? AND open_id = ?`),
		deleteUnionID:  in(`DELETE FROM {unionids} WHERE union_id = ?`),
		deleteUser:     in(`DELETE FROM {table} WHERE {id} = {?}`),
		// In this order, because an identity refers to a UnionID.
		forget: []string{in(`DELETE FROM {identities} WHERE user_id = {?}`), in(`DELETE FROM {unionids} WHERE user_id = {?}`)},

		allColumns: []string{
			in(selectUser + `WHERE 1 = 0`),
			in(`SELECT union_id, user_id FROM {unionids} WHERE 1 = 0`),
		},
	}
	if l.firstWrites {
		q.firstWrite = in(`UPDATE {identities} SET user_id = user_id WHERE app_id = ''`)
	}
	l.phoneQueries(&q)
	l.endQueries(&q)
	if l.own {
		q.allColumns = append(q.allColumns, in(`SELECT created_at FROM {table} WHERE 1 = 0`))
	}
	return q
}

// phoneQueries sets the statements that concern the column of phone numbers, which the
// table may lack.
func (l layout) phoneQueries(q *queries) {
	owners := `SELECT i.user_id, ` + ifOrphan + `'openid' END FROM {identities} i WHERE i.app_id = ? AND i.open_id = ?
			UNION ALL SELECT i.user_id, ` + ifOrphan + `'unionid' END FROM {unionids} i WHERE i.union_id = ?`
	set := `{delete}`
	if l.table.Phone != "" {
		owners += `
			UNION ALL SELECT {id}, 'phone' FROM {table} WHERE {phone} = ?{live}`
		q.userByPhone = l.statement(selectUser + `WHERE u.phone = ?`)
		q.phoneOwner = l.statement(`SELECT {id} FROM {table} WHERE {phone} = ?{live}`)
		q.phoneInUse = l.statement(`SELECT {id} FROM {table} WHERE {phone} = ?`)
		q.setPhone = l.statement(`UPDATE {table} SET {phone} = ? WHERE {id} = {?}`)
		set += `, {phone} = NULL`
	}
	q.owners = l.statement(owners)
	if l.table.Delete != "" {
		q.deleteUser = l.statement(`UPDATE {table} SET ` + set + ` WHERE {id} = {?}`)
	}
}

// endQueries sets the statements that concern the end of sessions, which is in a column
// of the table or in a table of the store's own.
func (l layout) endQueries(q *queries) {
	// The conditions keep the latest time if calls arrive out of order.
	if l.table.SessionsEndedAt == "" {
		q.endedAt = l.statement(`SELECT sessions_ended_at FROM {ended} WHERE user_id = {?}`)
		q.insertEnd = l.statement(`INSERT INTO {ended} (sessions_ended_at, user_id) VALUES (?, {?})`)
		q.setSessionsEndedAt = l.statement(`UPDATE {ended} SET sessions_ended_at = ? WHERE user_id = {?} AND sessions_ended_at < ?`)
		return
	}
	q.setSessionsEndedAt = l.statement(`UPDATE {table} SET {sessionsEndedAt} = ? WHERE {id} = {?} AND ({sessionsEndedAt} IS NULL OR {sessionsEndedAt} < ?)`)
}
