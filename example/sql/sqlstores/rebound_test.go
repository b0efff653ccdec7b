package sqlstores

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/scangate/scangate"
)

// TestForgetUnionIDs runs the statements of forgetUnionIDs, a recipe of sqlstore's
// documentation, which cannot run without a driver. The next login then brings new
// unionids.
func TestForgetUnionIDs(t *testing.T) {
	code, err := os.ReadFile("../../../sqlstore/example_accounts_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, recipe, _ := strings.Cut(string(code), "func forgetUnionIDs(")
	recipe, _, _ = strings.Cut(recipe, "\n}\n")
	statements := regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(recipe, -1)
	if len(statements) != 2 {
		t.Fatalf("forgetUnionIDs has %d statements, want 2: %s", len(statements), recipe)
	}
	forEachDatabase(t, func(t *testing.T, d database) {
		in := d.tables(t)
		s := in.store(t)
		user, err := s.Register(t.Context(), ann())
		if err != nil {
			t.Fatal(err)
		}
		for _, statement := range statements {
			in.exec(t, strings.ReplaceAll(statement[1], "scangate_", in.Prefix))
		}
		rebound := ann().Identity
		rebound.UnionID = "u-Ann-rebound"
		if err := s.LinkWeChat(t.Context(), user.ID, rebound); err != nil {
			t.Errorf("LinkWeChat with the new unionid: %v, want no error", err)
		}
		elsewhere := scangate.Identity{AppID: "wx2", OpenID: "o-Ann-elsewhere", UnionID: rebound.UnionID}
		if got, err := s.FindByWeChat(t.Context(), elsewhere); err != nil || got.ID != user.ID {
			t.Errorf("FindByWeChat by the new unionid = %+v, %v, want user %s", got, err, user.ID)
		}
	})
}
