package scangate

import (
	"context"
	"time"

	"github.com/scangate/scangate/internal/state"
	"github.com/scangate/scangate/internal/ttlmap"
)

// Identity is what WeChat vouches for: the person OpenID at the account AppID.
//
// OpenIDs belong to one AppID: the same person has another OpenID at another
// account. UnionID is the same for all accounts bound to one Open Platform
// account; it is empty where WeChat does not tell it, and an empty one equals
// no other.
type Identity struct {
	AppID   string
	OpenID  string
	UnionID string
}

// User is a person as the application's own table knows them.
type User struct {
	// ID is the store's own name for the user. It never changes and is never
	// given to anybody else.
	ID string
	// Nickname and AvatarURL are empty unless the store has them.
	Nickname  string
	AvatarURL string
	// Phone is the verified number in E.164 form, "+8613800138000"; empty if
	// none is bound.
	Phone string
	// Disabled users can't log in, and their sessions are over.
	Disabled bool
	// SessionsEndedAt is the latest time given to [UserStore.EndSessions]: sessions begun
	// before it are over. The zero time ends none.
	SessionsEndedAt time.Time
	// Identities are the WeChat identities linked to the user.
	// [UserStore.FindByID], which runs on every request, may leave them out.
	Identities []Identity
}

// NewUser is somebody whom WeChat vouches for and whom the store does not know.
type NewUser struct {
	Identity Identity
	// Phone is a verified number in E.164 form, or empty.
	Phone string
	// Nickname and AvatarURL are empty unless [Config.FetchProfile] is set and
	// the person agreed.
	Nickname  string
	AvatarURL string
}

// Errors that a [UserStore] returns, alone or wrapped.
var (
	// ErrNotFound says that there is no such user or record. It is no failure:
	// the gate goes on as for somebody unknown.
	ErrNotFound = state.ErrNotFound
	// ErrIdentityTaken says that a WeChat identity is another user's already, or
	// that the user has another one at the same account.
	ErrIdentityTaken = state.ErrIdentityTaken
	// ErrPhoneTaken says that a phone number is another user's already.
	ErrPhoneTaken = state.ErrPhoneTaken
)

// UserStore is the application's own table of users, as the gate needs it.
//
// All methods may be called from many goroutines, and by many processes on one
// database. Uniqueness is therefore the store's to keep, in one atomic step
// with the change: of any number of calls that compete for an identity or a
// number, one wins and the others get the error named below, having changed
// nothing. IDs, AppIDs, OpenIDs, UnionIDs and numbers are the same only byte for
// byte; AppID and OpenID are never empty. A store holds any UTF-8 without U+0000
// of up to 255 bytes: what it can't hold is nobody's when looked up, and an error
// when written. A user that a method returns is a copy. A method whose context has
// ended returns an error for which errors.Is(err, ctx.Err()) holds. Any other
// error than those named is a failure of the store: the gate answers 503 and
// nobody is logged in or out by it. No error's text holds a phone number,
// an OpenID or a UnionID.
type UserStore interface {
	// FindByID returns the user, or ErrNotFound. It is called on every request
	// that passes the gate, unless Config.UserTTL is set, and should be one indexed
	// read.
	FindByID(ctx context.Context, id string) (User, error)

	// FindByWeChat returns the user who has the identity (AppID, OpenID); if
	// there is none and UnionID is not empty, the user who has an identity with
	// that UnionID; else ErrNotFound. The same OpenID at another AppID is
	// somebody else.
	FindByWeChat(ctx context.Context, who Identity) (User, error)

	// FindByPhone returns the user to whom the number in E.164 form is bound, or
	// ErrNotFound. An empty number is nobody's.
	FindByPhone(ctx context.Context, phone string) (User, error)

	// Register creates a user with the identity and, unless it is empty, the
	// number. It returns ErrIdentityTaken if a user has the (AppID, OpenID) or
	// the UnionID already, ErrPhoneTaken if one has the number, and either of
	// the two if both hold.
	Register(ctx context.Context, who NewUser) (User, error)

	// LinkWeChat adds the identity to the user. If the user has its
	// (AppID, OpenID) already, a UnionID that was empty is filled in, an empty
	// one given changes nothing, and all else is as before: linking twice is no
	// error. It returns ErrIdentityTaken if another user has the
	// (AppID, OpenID) or the UnionID, or if this one has another OpenID at the
	// same AppID or another UnionID for the same OpenID; ErrNotFound if there is
	// no such user.
	LinkWeChat(ctx context.Context, id string, who Identity) error

	// UnlinkWeChat removes the identity (AppID, OpenID) from the user; one that
	// the user does not have is no error. It returns ErrNotFound if there is no
	// such user.
	UnlinkWeChat(ctx context.Context, id string, who Identity) error

	// BindPhone sets the user's number, in place of an earlier one, which is
	// free from then on; an empty one leaves the user without. Binding the same
	// again is no error. It returns ErrPhoneTaken if another user has the number,
	// ErrNotFound if there is no such user.
	BindPhone(ctx context.Context, id, phone string) error

	// EndSessions ends the sessions that the user began before the given time, by
	// keeping it as the user's SessionsEndedAt, to the microsecond. A time that is not
	// after the one kept changes nothing. It returns ErrNotFound if there is no
	// such user.
	EndSessions(ctx context.Context, id string, before time.Time) error
}

// Errors that a [StateStore] returns, alone or wrapped, besides ErrNotFound.
var (
	// ErrExists says that a record of that key exists.
	ErrExists = state.ErrExists
	// ErrConflict says that a record has changed since the version given.
	ErrConflict = state.ErrConflict
	// ErrFull is a MemoryStore's that has reached its bound. To a gate it is a
	// failure like any other.
	ErrFull = ttlmap.ErrFull
)

// StateStore keeps the minutes-long state of logins, for all processes that
// share it.
//
// All methods may be called from many goroutines and processes. Keys and values
// are any bytes; records and counters of the same key are apart. A record whose
// ttl is over is gone, as if it had never been. Values given are copied, and
// those returned are copies. A method whose context has ended returns an error
// for which errors.Is(err, ctx.Err()) holds. Any other error than those named is
// a failure of the store: whether what it was to change has been changed, nobody
// knows then. No error's text holds a key or a value.
type StateStore interface {
	// Create stores a record as version 1 for the time ttl, which is positive.
	// It returns ErrExists if there is one of that key.
	Create(ctx context.Context, key string, value []byte, ttl time.Duration) error

	// Load returns the record and its version, or ErrNotFound.
	Load(ctx context.Context, key string) (value []byte, version int64, err error)

	// Update replaces the record if it has the version given, and makes it the
	// next version, version+1, for the time ttl from now, which is positive. It
	// returns ErrConflict if the record has another version, ErrNotFound if there
	// is none.
	Update(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error

	// Wait returns the record as soon as its version is not the one given, at
	// once if that is so already; ErrNotFound if there is no such record, or if
	// it goes while waiting, though it may take until the context ends to notice
	// that, and also whether another one has been created since. A context that
	// ends first is an error. No update is missed.
	Wait(ctx context.Context, key string, version int64) (value []byte, newer int64, err error)

	// Add counts one up and returns the count. A counter begins at zero, and
	// begins anew when window, which is positive, has passed since its first
	// count.
	Add(ctx context.Context, key string, window time.Duration) (int64, error)
}
