package scangate

import (
	"context"
	"time"

	"github.com/scangate/scangate/internal/state"
	"github.com/scangate/scangate/internal/ttlmap"
)

// Identity is a person as WeChat identifies them: OpenID at the account AppID.
//
// An OpenID belongs to one AppID: the same person has another OpenID at another
// account. UnionID is the same at all accounts that are bound to one Open Platform
// account. It is empty if WeChat does not return it, and an empty UnionID equals no
// other.
type Identity struct {
	AppID   string
	OpenID  string
	UnionID string
}

// User is a user in the application's own table.
type User struct {
	// ID is the store's name for the user. It never changes, and no other user ever
	// gets it.
	ID string
	// Nickname and AvatarURL are empty unless the store has them.
	Nickname  string
	AvatarURL string
	// Phone is the verified number in E.164 form, "+8613800138000"; empty if none is
	// bound.
	Phone string
	// Disabled users cannot log in, and their sessions are over.
	Disabled bool
	// SessionsEndedAt is the latest time given to [UserStore.EndSessions]. Sessions that
	// began before it are over. The zero time ends none.
	SessionsEndedAt time.Time
	// Identities are the WeChat identities linked to the user. [UserStore.FindByID],
	// which runs on every request, may leave them out.
	Identities []Identity
}

// NewUser is an identified person who is not in the store.
type NewUser struct {
	Identity Identity
	// Phone is a verified number in E.164 form, or empty.
	Phone string
	// Nickname and AvatarURL are empty unless [Registration.FetchProfile] is set and the
	// person agreed.
	Nickname  string
	AvatarURL string
}

// Errors that a [UserStore] returns, alone or wrapped.
var (
	// ErrNotFound reports that there is no such user or record. It is not a failure of
	// the store.
	ErrNotFound = state.ErrNotFound
	// ErrIdentityTaken reports that a WeChat identity belongs to another user, or that
	// the user has another identity at the same account.
	ErrIdentityTaken = state.ErrIdentityTaken
	// ErrPhoneTaken reports that a phone number belongs to another user.
	ErrPhoneTaken = state.ErrPhoneTaken
)

// UserStore is the application's own table of users, as far as the gate needs it.
//
// All methods may be called by many goroutines, and by many processes that share a
// database. The store therefore keeps identities and numbers unique, in one atomic step
// with the change: if several calls compete for an identity or a number, one of them
// wins, and the others return the error named below and change nothing.
//
// IDs, AppIDs, OpenIDs, UnionIDs and numbers are compared byte for byte. AppID and
// OpenID are never empty. A store holds any UTF-8 without U+0000 of up to 255 bytes. A
// value that it cannot hold is not found when looked up, and is an error when written.
// Users that a method returns are copies.
//
// A method whose context has ended returns an error for which errors.Is(err, ctx.Err())
// holds. Any error other than those named is a failure of the store: the gate answers
// 503, and no one is logged in or out. The text of an error contains no phone number,
// OpenID or UnionID.
type UserStore interface {
	// FindByID returns the user, or ErrNotFound. It is called on every request that
	// passes the gate, unless Config.UserTTL is set, and should be one indexed read.
	FindByID(ctx context.Context, id string) (User, error)

	// FindByWeChat returns the user who has the identity (AppID, OpenID). If there is
	// none and UnionID is not empty, it returns the user who has an identity with that
	// UnionID. Otherwise it returns ErrNotFound. The same OpenID at another AppID is
	// another person.
	FindByWeChat(ctx context.Context, who Identity) (User, error)

	// FindByPhone returns the user to whom the number in E.164 form is bound, or
	// ErrNotFound. An empty number belongs to no user.
	FindByPhone(ctx context.Context, phone string) (User, error)

	// Register creates a user with the identity and, unless it is empty, the number. It
	// returns ErrIdentityTaken if a user has the (AppID, OpenID) or the UnionID,
	// ErrPhoneTaken if a user has the number, and either of the two if both hold.
	Register(ctx context.Context, who NewUser) (User, error)

	// LinkWeChat adds the identity to the user. If the user has its (AppID, OpenID), an
	// empty UnionID of theirs is filled in, an empty one given changes nothing, and
	// everything else stays: linking twice is not an error. It returns ErrIdentityTaken
	// if another user has the (AppID, OpenID) or the UnionID, or if this user has another
	// OpenID at the same AppID or another UnionID for the same OpenID. It returns
	// ErrNotFound if there is no such user.
	LinkWeChat(ctx context.Context, id string, who Identity) error

	// UnlinkWeChat removes the identity (AppID, OpenID) from the user. It is not an error
	// if the user does not have it. It returns ErrNotFound if there is no such user.
	UnlinkWeChat(ctx context.Context, id string, who Identity) error

	// BindPhone sets the user's number. An earlier number is free from then on, and an
	// empty one leaves the user without. Binding the same number again is not an error.
	// It returns ErrPhoneTaken if another user has the number, and ErrNotFound if there
	// is no such user.
	BindPhone(ctx context.Context, id, phone string) error

	// EndSessions ends the sessions that the user began before the given time. It keeps
	// the time as the user's SessionsEndedAt, to the microsecond. A time that is not
	// after the one kept changes nothing. It returns ErrNotFound if there is no such
	// user.
	EndSessions(ctx context.Context, id string, before time.Time) error
}

// Errors that a [StateStore] returns, alone or wrapped, besides ErrNotFound.
var (
	// ErrExists reports that a record of that key exists.
	ErrExists = state.ErrExists
	// ErrConflict reports that a record has changed since the version given.
	ErrConflict = state.ErrConflict
	// ErrFull reports that a [MemoryStore] has reached a bound and may drop nothing. A
	// gate treats it as a failure of the store.
	ErrFull = ttlmap.ErrFull
)

// StateStore keeps the state of logins, which lasts for minutes, and quotas, locks and the
// announcements of ended sessions, which last up to a day. It keeps them for all processes
// that share it.
//
// All methods may be called by many goroutines and processes. Keys and values are any
// bytes. Records and counters of the same key are independent. A record whose ttl is
// over does not exist any more. Values given are copied, and values returned are
// copies.
//
// A method whose context has ended returns an error for which errors.Is(err, ctx.Err())
// holds. Any error other than those named is a failure of the store. The outcome of a
// failed write is unknown. The text of an error contains neither a key nor a value.
type StateStore interface {
	// Create stores a record as version 1 for the time ttl, which is positive. It
	// returns ErrExists if there is a record of that key.
	Create(ctx context.Context, key string, value []byte, ttl time.Duration) error

	// Load returns the record and its version, or ErrNotFound.
	Load(ctx context.Context, key string) (value []byte, version int64, err error)

	// Update replaces the record if it has the version given. The record becomes version
	// version+1, for the time ttl from now, which is positive. Update returns ErrConflict
	// if the record has another version, and ErrNotFound if there is none.
	Update(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error

	// Wait returns the record as soon as its version is not the one given, at once if
	// that is so already. It misses no update. It returns ErrNotFound if there is no such
	// record or if the record expires meanwhile. It may notice an expiry, and a record
	// created after it, only when the context ends. A context that ends first is an error.
	Wait(ctx context.Context, key string, version int64) (value []byte, newer int64, err error)

	// Add increments a counter and returns the count. A counter begins at zero, and again
	// when window, which is positive, has passed since its first increment.
	Add(ctx context.Context, key string, window time.Duration) (int64, error)
}
