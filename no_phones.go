package scangate

import (
	"context"
	"errors"
)

// errKeepsNoPhones is the error of NoPhones for a number.
var errKeepsNoPhones = errors.New("scangate: the store keeps no phone numbers: it embeds NoPhones")

// NoPhones has the methods of a [UserStore] that concern phone numbers, for a store
// without any. The store embeds it:
//
//	type users struct {
//		scangate.NoPhones
//		db *sql.DB
//	}
//
// [New] refuses such a store together with Phone.Require or Phone.SendCode. All numbers
// that the gate passes to the store's other methods are then empty.
type NoPhones struct{}

// phoneKeeper is a store that reports whether it keeps phone numbers. sqlstore's does
// too.
type phoneKeeper interface{ KeepsPhones() bool }

// KeepsPhones returns false.
func (NoPhones) KeepsPhones() bool { return false }

// FindByPhone implements [UserStore]. It returns ErrNotFound.
func (NoPhones) FindByPhone(ctx context.Context, _ string) (User, error) {
	if err := ctx.Err(); err != nil {
		return User{}, err
	}
	return User{}, ErrNotFound
}

// BindPhone implements [UserStore]. It returns an error, except for the empty number.
func (NoPhones) BindPhone(ctx context.Context, _, phone string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if phone != "" {
		return errKeepsNoPhones
	}
	return nil
}
