package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/sqlstore"
)

// moveAccount moves the identities of an official account to the account to which it was
// migrated. openIDs has the new openid for each old one. It returns the IDs of the users
// who have registered at the new account already and are now two users. It works with
// every store, and can be run again.
func moveAccount(ctx context.Context, users scangate.UserStore, from, to string, openIDs map[string]string) (twice []string, err error) {
	for old, moved := range openIDs {
		before, after := scangate.Identity{AppID: from, OpenID: old}, scangate.Identity{AppID: to, OpenID: moved}
		user, err := users.FindByWeChat(ctx, before)
		if errors.Is(err, scangate.ErrNotFound) {
			continue // moved by an earlier run, or never a user
		}
		// The new identity first: the person can log in at any moment.
		if err == nil {
			err = users.LinkWeChat(ctx, user.ID, after)
		}
		if errors.Is(err, scangate.ErrIdentityTaken) {
			twice = append(twice, user.ID)
			continue
		}
		if err == nil {
			err = users.UnlinkWeChat(ctx, user.ID, before)
		}
		if err != nil {
			return twice, err
		}
	}
	return twice, nil
}

// forgetUnionIDs removes all unionids, after the accounts were bound to another Open
// Platform account. The next login of each user brings the new one.
func forgetUnionIDs(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // has no effect after Commit
	for _, statement := range []string{
		`UPDATE scangate_identities SET union_id = NULL`,
		`DELETE FROM scangate_unionids`,
	} {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// An official account was migrated to another subject (账号迁移). It has another AppID from
// then on, and each follower has another openid. WeChat's API changeopenid returns the new
// openids for the old ones.
//
// Run this after the migration, before the gate is configured with the new AppID.
// Otherwise persons who log in meanwhile become new users.
func ExampleStore_LinkWeChat_movedAccount() {
	ctx := context.Background()
	users := scangate.NewMemoryStore() // or a sqlstore.Store
	ann, err := users.Register(ctx, scangate.NewUser{Identity: scangate.Identity{AppID: "wx0000000000000001", OpenID: "o-old"}})
	if err != nil {
		log.Fatal(err)
	}
	twice, err := moveAccount(ctx, users, "wx0000000000000001", "wx0000000000000002", map[string]string{"o-old": "o-new", "o-other": "o-other-new"})
	if err != nil {
		log.Fatal(err)
	}
	moved, err := users.FindByWeChat(ctx, scangate.Identity{AppID: "wx0000000000000002", OpenID: "o-new"})
	fmt.Println(moved.ID == ann.ID, len(moved.Identities), len(twice), err)
	// Output: true 1 0 <nil>
}

// The accounts were bound to another Open Platform account (开放平台账号换绑). All unionids
// are others from then on, and all openids stay. With the old unionids, the gate would
// report a conflict at each login.
//
// Run this after the accounts were bound. Until a user's next login, the gate cannot
// recognize that user at an account where the user has never been.
func ExampleStore_LinkWeChat_reboundAccounts() {
	db, err := sql.Open("pgx", "postgres://app@127.0.0.1/app")
	if err != nil {
		log.Fatal(err)
	}
	if err := forgetUnionIDs(context.Background(), db); err != nil {
		log.Fatal(err)
	}
}

// The application has a table of users, whose numbers have 11 digits:
//
//	CREATE TABLE members (
//		id BIGINT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(64), mobile VARCHAR(20) UNIQUE,
//		status INT NOT NULL DEFAULT 1, created_at DATETIME NOT NULL, deleted_at DATETIME)
func ExampleTable() {
	db, err := sql.Open("mysql", "app:secret@tcp(127.0.0.1:3306)/app?interpolateParams=true")
	if err != nil {
		log.Fatal(err)
	}
	users, err := sqlstore.New(db, sqlstore.MySQL, sqlstore.Table{
		Name: "members", ID: "id", Nickname: "name", Phone: "mobile", PhonePrefix: "+86",
		Disabled: "status <> 1",
		Where:    "deleted_at IS NULL", Delete: "deleted_at = NOW()",
		Insert: func(scangate.NewUser) map[string]any {
			return map[string]any{"created_at": time.Now()}
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	// It creates the tables beside members.
	if err := users.Migrate(context.Background()); err != nil {
		log.Fatal(err)
	}
}
