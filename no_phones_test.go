package scangate_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/sqlstore"
)

// phonelessUsers is an application's store that embeds NoPhones.
type phonelessUsers struct {
	scangate.NoPhones
	otherMethods
}

// otherMethods puts the methods of a MemoryStore one level deeper than those of NoPhones.
// In an application there are no others.
type otherMethods struct{ *scangate.MemoryStore }

func newPhonelessUsers() phonelessUsers {
	return phonelessUsers{otherMethods: otherMethods{scangate.NewMemoryStore()}}
}

// TestNoPhonesLogin logs a person in, with a store that has no numbers.
func TestNoPhonesLogin(t *testing.T) {
	w := newWorld(t, func(c *scangate.Config) { c.Users = newPhonelessUsers() })
	phone := w.phone("lin")
	if a := phone.open("/account"); a.StatusCode != 200 {
		t.Errorf("login with a store without phone numbers: status = %d, want 200", a.StatusCode)
	}
	if phone.user() == "" {
		t.Error("after the login: no user, want one")
	}
}

// TestNoPhonesRefused configures numbers for a store that keeps none.
func TestNoPhonesRefused(t *testing.T) {
	send := func(context.Context, string, string) error { return nil }
	for field, change := range map[string]func(*scangate.Config){
		"Phone.Require":  func(c *scangate.Config) { c.Phone.Require, c.Phone.SendCode = true, send },
		"Phone.SendCode": func(c *scangate.Config) { c.Phone.SendCode = send },
	} {
		err := refusal(t, func(c *scangate.Config) { c.Users = newPhonelessUsers(); change(c) })
		if want := "scangate: Config." + field + ": Config.Users keeps no phone numbers"; err.Error() != want {
			t.Errorf("New with %s: error = %q, want %q", field, err, want)
		}
	}
	accept(t, func(c *scangate.Config) { c.Users = newPhonelessUsers() })
}

// TestNoPhonesInSQL configures numbers for an application's own table without a column for
// them.
func TestNoPhonesInSQL(t *testing.T) {
	for column, refused := range map[string]bool{"": true, "mobile": false} {
		users, err := sqlstore.New(new(sql.DB), sqlstore.SQLite, sqlstore.Table{Name: "members", ID: "id", Phone: column})
		if err != nil {
			t.Fatal(err)
		}
		change := func(c *scangate.Config) {
			c.Users, c.Phone.Require = users, true
			c.Phone.SendCode = func(context.Context, string, string) error { return nil }
		}
		if !refused {
			accept(t, change)
		} else if err := refusal(t, change); !strings.HasPrefix(err.Error(), "scangate: Config.Phone.Require: ") {
			t.Errorf("New with the column %q for numbers: error = %q, want one about Phone.Require", column, err)
		}
	}
}

// TestNoPhonesMethods calls the methods of NoPhones, also with a context that has ended.
func TestNoPhonesMethods(t *testing.T) {
	var none scangate.NoPhones
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if none.KeepsPhones() {
		t.Error("KeepsPhones = true, want false")
	}
	if _, err := none.FindByPhone(t.Context(), mobile); !errors.Is(err, scangate.ErrNotFound) {
		t.Errorf("FindByPhone: error = %v, want ErrNotFound", err)
	}
	if _, err := none.FindByPhone(ended, mobile); !errors.Is(err, context.Canceled) {
		t.Errorf("FindByPhone with a canceled context: error = %v, want Canceled", err)
	}
	if err := none.BindPhone(t.Context(), "17", ""); err != nil {
		t.Errorf("BindPhone of the empty number: error = %v, want none", err)
	}
	if err := none.BindPhone(t.Context(), "17", mobile); err == nil || strings.Contains(err.Error(), mobile[1:]) {
		t.Errorf("BindPhone: error = %v, want one without the number", err)
	}
	if err := none.BindPhone(ended, "17", ""); !errors.Is(err, context.Canceled) {
		t.Errorf("BindPhone with a canceled context: error = %v, want Canceled", err)
	}
}
