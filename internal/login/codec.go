package login

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"time"

	"github.com/scangate/scangate/internal/codec"
)

// recordFormat is the version of a record's stored form, and its first byte. Change
// it with every change of what the methods named fields list: a record of another
// version is an unknown login.
const recordFormat = 10

// indexFormat is the version of an index entry's stored form, and its first byte.
const indexFormat = '1'

// encode returns the stored form. It is compact: a login is written and read several
// times over, and Redis holds many.
func (r *record) encode() ([]byte, error) {
	c := coder{written: append(make([]byte, 0, 512), recordFormat)}
	r.fields(&c)
	return c.written, c.err
}

// decode reverses encode. It checks the form only; see sound for the meaning.
func (r *record) decode(b []byte) error {
	if len(b) == 0 || b[0] != recordFormat {
		return errDamaged
	}
	c := coder{reading: true, Decoder: codec.NewSharedDecoder(b[1:])}
	r.fields(&c)
	if c.err != nil || c.Failed || len(c.Rest) > 0 {
		return errDamaged
	}
	return nil
}

// fields passes every stored field to the coder, in order. The ID is left out: it is
// part of the key.
func (r *record) fields(c *coder) {
	c.string((*string)(&r.Kind))
	c.string((*string)(&r.Purpose))
	c.string((*string)(&r.State))
	c.string(&r.AppID)
	c.string(&r.ReturnTo)
	c.time(&r.Created)
	c.time(&r.Expires)
	c.time(&r.Decided)
	c.time(&r.Finished)
	c.digest(&r.Initiator)
	c.digest(&r.Authorizer)
	c.string(&r.Origin.Browser)
	c.string(&r.Origin.System)
	c.string(&r.Origin.Address)
	c.int(&r.Number)
	c.string(&r.Salt)
	c.string(&r.Agreed)
	c.bool(&r.Closed)
	c.bool(&r.Unbegun)
	c.bool(&r.Fresh)
	c.bool(&r.Tried)
	c.int(&r.Failures)
	if present(c, &r.Rejected) {
		c.digest(&r.Rejected.Code)
		c.string(&r.Rejected.Reason)
	}
	c.string((*string)(&r.Way))
	c.string(&r.Language)
	if present(c, &r.Chat) {
		r.Chat.fields(c)
	}
	c.string(&r.TargetUserID)
	c.string(&r.TargetName)
	if present(c, &r.Lease) {
		c.string((*string)(&r.Lease.From))
		c.time(&r.Lease.Until)
	}
	if present(c, &r.Person) {
		r.Person.fields(c)
	}
	if present(c, &r.Code) {
		c.string(&r.Code.Phone)
		c.string(&r.Code.MAC)
		c.time(&r.Code.Sent)
		c.int(&r.Code.Tries)
		c.string(&r.Code.Wrong)
		c.time(&r.Code.WrongAt)
	}
}

// fields passes every stored field of a chat to the coder, in order.
func (c *chat) fields(to *coder) {
	to.string(&c.Scene)
	to.string(&c.Digits)
	to.bool(&c.Typed)
	to.int(&c.Tries)
	to.string(&c.Echoed)
	to.bool(&c.Learned)
	to.bool(&c.Proving)
	n := len(c.Echoes)
	to.int(&n)
	if to.reading && n > 0 {
		// A damaged record may have any number here.
		c.Echoes = make([]echo, min(n, maxEchoes))
	}
	for i := range c.Echoes {
		to.digest(&c.Echoes[i].Browser)
		to.string(&c.Echoes[i].Digits)
	}
}

// fields passes every stored field of a person to the coder, in order.
func (p *Person) fields(c *coder) {
	c.string(&p.Identity.AppID)
	c.string(&p.Identity.OpenID)
	c.string(&p.Identity.UnionID)
	c.string(&p.Nickname)
	c.string(&p.AvatarURL)
	c.bool(&p.Asked)
	c.string(&p.UserID)
	c.bool(&p.New)
	c.string(&p.Phone)
	c.bool(&p.HasPhone)
	c.string(&p.Refusal)
	if present(c, &p.Profile) {
		c.json(p.Profile)
	}
	if present(c, &p.Token) {
		c.json(p.Token)
	}
}

// coder writes the fields that it is passed, or reads them. One list of fields serves
// both directions, so that they cannot differ.
type coder struct {
	reading bool
	written []byte
	codec.Decoder
	err error
}

func (c *coder) string(s *string) {
	if c.reading {
		*s = c.Text()
		return
	}
	c.written = codec.AppendText(c.written, *s)
}

// int is a varint: small numbers take one byte.
func (c *coder) int(n *int) {
	if c.reading {
		*n = int(c.Varint())
		return
	}
	c.written = binary.AppendVarint(c.written, int64(*n))
}

// bool is an int of 0 or 1.
func (c *coder) bool(b *bool) {
	n := 0
	if *b {
		n = 1
	}
	c.int(&n)
	*b = n == 1
}

// time keeps nanoseconds, because a lease is recognized by its time.
func (c *coder) time(t *time.Time) {
	if c.reading {
		if nanos := c.Varint(); nanos != 0 {
			*t = time.Unix(0, nanos)
		}
		return
	}
	nanos := int64(0)
	if !t.IsZero() {
		nanos = t.UnixNano()
	}
	c.written = binary.AppendVarint(c.written, nanos)
}

// digest is fixed size, so it has no length prefix.
func (c *coder) digest(d *Digest) {
	if c.reading {
		copy(d[:], c.Take(uint64(len(d))))
		return
	}
	c.written = append(c.written, d[:]...)
}

// json encodes rarely present values of types from package wechat.
func (c *coder) json(v any) {
	if c.reading {
		c.err = errors.Join(c.err, json.Unmarshal(c.Bytes(), v))
		return
	}
	b, err := json.Marshal(v)
	c.written = codec.AppendText(c.written, b)
	c.err = errors.Join(c.err, err)
}

// present codes whether *p is set, and reports it. When reading, it makes a T to read
// into.
func present[T any](c *coder, p **T) bool {
	set := *p != nil
	c.bool(&set)
	if c.reading && set {
		*p = new(T)
	}
	return set
}

// sound reports whether the parts of a decoded record fit together, so that no step
// can fail on what another version or a damaged store has left.
func (r *record) sound() bool {
	if r.Kind != CrossDevice && r.Kind != SameDevice {
		return false
	}
	switch r.Way {
	case "", WayWeb, WayWebsite, WayMini:
	case WayFollow, WayMessage:
		if r.Kind != CrossDevice || r.Person != nil && r.Chat == nil {
			return false
		}
	default:
		return false
	}
	switch r.Purpose {
	case PurposeLogin:
		if r.Fresh != (r.TargetUserID != "") {
			return false
		}
	case PurposeLink, PurposePhone:
		if r.TargetUserID == "" || r.Fresh {
			return false
		}
	default:
		return false
	}
	switch r.State {
	case StateWaiting, StateScanned, StateDenied, StateReplaced:
		return true
	case StateExchanging:
		return r.Lease.sound() && (r.Lease.From == StateIdentified) == (r.Person != nil)
	case StateIdentified, StateApproved, StateFinished:
		return r.Person != nil
	}
	return false
}

// sound reports whether a lease returns to a state in which leases are granted.
func (l *lease) sound() bool {
	return l != nil && (l.From == StateWaiting || l.From == StateScanned || l.From == StateIdentified)
}
