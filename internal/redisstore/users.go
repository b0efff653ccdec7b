package redisstore

import (
	"cmp"
	"context"
	"crypto/rand"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scangate/scangate/internal/redisconn"
	"github.com/scangate/scangate/internal/state"
)

// Identity mirrors the root package's Identity.
type Identity struct {
	AppID   string
	OpenID  string
	UnionID string
}

// User mirrors the root package's User.
type User struct {
	ID              string
	Nickname        string
	AvatarURL       string
	Phone           string
	Disabled        bool
	SessionsEndedAt time.Time
	Identities      []Identity
}

// NewUser mirrors the root package's NewUser.
type NewUser struct {
	Identity  Identity
	Phone     string
	Nickname  string
	AvatarURL string
}

// finding names the look-ups of a user in errors.
const finding = "finding a user"

func (s *Store) userKey(id string) string { return s.key("user", id) }

func (s *Store) phoneKey(phone string) string { return s.key("phone", phone) }

func (s *Store) unionIDKey(unionID string) string { return s.key("unionid", unionID) }

// openIDKey includes the length of the AppID. Otherwise ("a:b", "c") and ("a", "b:c")
// would share a key.
func (s *Store) openIDKey(identity Identity) string {
	return s.key("openid", strconv.Itoa(len(identity.AppID))+":"+identity.AppID+":"+identity.OpenID)
}

// FindByID returns the user of that ID.
func (s *Store) FindByID(ctx context.Context, id string) (User, error) {
	reply, err := s.conn.ReadHash(ctx, s.userKey(id))
	if err != nil {
		return User{}, failure(finding, err)
	}
	return parseUser(id, reply)
}

// FindByWeChat returns the user who has the (AppID, OpenID) or, if there is none, the
// UnionID.
func (s *Store) FindByWeChat(ctx context.Context, identity Identity) (User, error) {
	if identity.UnionID == "" {
		return s.find(ctx, s.openIDKey(identity))
	}
	return s.find(ctx, s.openIDKey(identity), s.unionIDKey(identity.UnionID))
}

// FindByPhone returns the user who has the number. No user has an empty one.
func (s *Store) FindByPhone(ctx context.Context, phone string) (User, error) {
	if phone == "" {
		return s.find(ctx)
	}
	return s.find(ctx, s.phoneKey(phone))
}

// find returns the user to whom the first index leads that leads to one. It is one
// script, so it never returns a user who is half changed.
func (s *Store) find(ctx context.Context, indexes ...string) (User, error) {
	reply, err := s.conn.ReadScript(ctx, s.scripts.find, indexes, s.userKey(""))
	if err != nil {
		return User{}, failure(finding, err)
	}
	if reply == nil {
		return User{}, state.ErrNotFound
	}
	if found, _ := reply.([]any); len(found) == 2 {
		if id, ok := text(found[0]); ok {
			return parseUser(id, found[1])
		}
	}
	return User{}, failure(finding, redisconn.ErrReply)
}

// Register creates a user.
func (s *Store) Register(ctx context.Context, user NewUser) (User, error) {
	identity := user.Identity
	registered := User{
		// Redis cannot give an ID that is never given again: it may lose its data.
		ID:         rand.Text(),
		Nickname:   user.Nickname,
		AvatarURL:  user.AvatarURL,
		Phone:      user.Phone,
		Identities: []Identity{identity},
	}
	keys := []string{
		s.userKey(registered.ID), s.openIDKey(identity), s.unionIDKey(identity.UnionID), s.phoneKey(user.Phone),
	}
	err := s.change(ctx, "registering a user", s.scripts.register, keys, s.userKey(""), registered.ID,
		identity.AppID, identity.OpenID, identity.UnionID, user.Phone, user.Nickname, user.AvatarURL)
	if err != nil {
		return User{}, err
	}
	return registered, nil
}

// LinkWeChat adds the identity to the user.
func (s *Store) LinkWeChat(ctx context.Context, id string, identity Identity) error {
	return s.change(ctx, "linking an identity", s.scripts.link,
		[]string{s.userKey(id), s.openIDKey(identity), s.unionIDKey(identity.UnionID)},
		s.userKey(""), id, identity.AppID, identity.OpenID, identity.UnionID)
}

// UnlinkWeChat removes the identity from the user.
func (s *Store) UnlinkWeChat(ctx context.Context, id string, identity Identity) error {
	return s.change(ctx, "unlinking an identity", s.scripts.unlink,
		[]string{s.userKey(id), s.openIDKey(identity)},
		s.unionIDKey(""), identity.AppID, identity.OpenID)
}

// BindPhone sets the user's number, or removes it if the given one is empty.
func (s *Store) BindPhone(ctx context.Context, id, phone string) error {
	return s.change(ctx, "binding a phone number", s.scripts.bindPhone,
		[]string{s.userKey(id), s.phoneKey(phone)},
		s.userKey(""), id, phone, s.phoneKey(""))
}

// EndSessions ends the sessions that the user began before that time. It keeps the
// time to the microsecond, which Lua's numbers represent exactly until the year 2255.
func (s *Store) EndSessions(ctx context.Context, id string, before time.Time) error {
	return s.change(ctx, "ending a user's sessions", s.scripts.endSessions,
		[]string{s.userKey(id)}, before.UnixMicro(), time.Time{}.UnixMicro())
}

// Delete deletes the user, and frees the identities and the number.
func (s *Store) Delete(ctx context.Context, id string) error {
	return s.change(ctx, "deleting a user", s.scripts.deleteUser,
		[]string{s.userKey(id)}, id, s.key("openid", ""), s.unionIDKey(""), s.phoneKey(""))
}

// parseUser parses the hash of the user of that ID: names and values in turn.
func parseUser(id string, reply any) (User, error) {
	fields, ok := reply.([]any)
	if !ok || len(fields)%2 != 0 {
		return User{}, failure(finding, redisconn.ErrReply)
	}
	if len(fields) == 0 {
		return User{}, state.ErrNotFound
	}
	user := User{ID: id}
	for i := 0; i < len(fields); i += 2 {
		name, isName := fieldName(fields[i])
		value, isValue := text(fields[i+1])
		if !isName || !isValue || !user.set(name, value) {
			return User{}, failure(finding, redisconn.ErrReply)
		}
	}
	// A UnionID counts only beside an OpenID.
	user.Identities = slices.DeleteFunc(user.Identities, func(i Identity) bool { return i.OpenID == "" })
	slices.SortFunc(user.Identities, func(a, b Identity) int { return cmp.Compare(a.AppID, b.AppID) })
	return user, nil
}

// set sets a field of a user's hash. It reports false for a value that the field cannot
// have.
func (u *User) set(name, value string) bool {
	switch name {
	case "nickname":
		u.Nickname = value
	case "avatar_url":
		u.AvatarURL = value
	case "phone":
		u.Phone = value
	case "disabled":
		u.Disabled = value != "" && value != "0"
	case "sessions_ended_at":
		micro, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return false // ignoring the field would bring ended sessions back
		}
		u.SessionsEndedAt = time.UnixMicro(micro).UTC()
	}
	if appID, ok := strings.CutPrefix(name, "openid:"); ok {
		u.identity(appID).OpenID = value
	} else if appID, ok := strings.CutPrefix(name, "unionid:"); ok {
		u.identity(appID).UnionID = value
	}
	return true
}

// identity returns the user's identity at the AppID, which it adds if there is none.
func (u *User) identity(appID string) *Identity {
	for i := range u.Identities {
		if u.Identities[i].AppID == appID {
			return &u.Identities[i]
		}
	}
	u.Identities = append(u.Identities, Identity{AppID: appID})
	return &u.Identities[len(u.Identities)-1]
}

// fieldName returns the name of a field. It does not allocate for the names that most
// hashes have.
func fieldName(reply any) (string, bool) {
	b, ok := reply.([]byte)
	if !ok {
		return text(reply)
	}
	for _, name := range [...]string{"nickname", "avatar_url", "phone", "disabled", "sessions_ended_at"} {
		if string(b) == name {
			return name, true
		}
	}
	return string(b), true
}
