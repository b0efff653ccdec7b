package scangate

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"time"

	"github.com/scangate/scangate/internal/codec"
)

// attemptFormat is the version of the stored form of an attempt, and its first
// byte. A record of another version is no attempt: whoever changes what fields
// lists counts it up.
const attemptFormat = 2

// errDamagedAttempt says that a record is no attempt.
var errDamagedAttempt = errors.New("scangate: a damaged login")

// encode returns the stored form, which is compact: a login is written and read
// several times over, and Redis holds many.
func (a *attempt) encode() ([]byte, error) {
	c := attemptCoder{written: append(make([]byte, 0, 512), attemptFormat)}
	a.fields(&c)
	return c.written, c.err
}

// decode is the reverse of encode. It checks the form alone.
func (a *attempt) decode(b []byte) error {
	if len(b) == 0 || b[0] != attemptFormat {
		return errDamagedAttempt
	}
	c := attemptCoder{reading: true, Decoder: codec.NewSharedDecoder(b[1:])}
	a.fields(&c)
	if c.err != nil || c.Failed || len(c.Rest) > 0 {
		return errDamagedAttempt
	}
	return nil
}

// fields shows the coder what is stored, in its order: all but the id, which is
// the key.
func (a *attempt) fields(c *attemptCoder) {
	c.string((*string)(&a.Kind))
	c.string((*string)(&a.Purpose))
	c.string((*string)(&a.State))
	c.string(&a.AppID)
	c.string(&a.ReturnTo)
	c.time(&a.Created)
	c.time(&a.Expires)
	c.time(&a.Finished)
	c.digest(&a.Asker)
	c.digest(&a.Authorizer)
	c.string(&a.From.Browser)
	c.string(&a.From.System)
	c.string(&a.From.Address)
	c.int(&a.Number)
	c.int(&a.Failures)
	c.string(&a.For)
	c.string(&a.ForName)
	if some(c, &a.Claim) {
		c.string((*string)(&a.Claim.From))
		c.time(&a.Claim.Until)
	}
	if some(c, &a.Person) {
		a.Person.fields(c)
	}
	if some(c, &a.Code) {
		c.string(&a.Code.Phone)
		c.string(&a.Code.MAC)
		c.time(&a.Code.Sent)
		c.int(&a.Code.Tries)
	}
}

// fields is as an attempt's. What no later request needs is left out.
func (p *person) fields(c *attemptCoder) {
	c.string(&p.Identity.AppID)
	c.string(&p.Identity.OpenID)
	c.string(&p.Identity.UnionID)
	c.string(&p.Nickname)
	c.string(&p.AvatarURL)
	c.bool(&p.Asked)
	c.string(&p.UserID)
	c.string(&p.Phone)
	c.bool(&p.Bound)
	if some(c, &p.Profile) {
		c.json(p.Profile)
	}
	if some(c, &p.Token) {
		c.json(p.Token)
	}
}

// attemptCoder writes the fields that it is shown, or reads them: as one list is
// both, the two can't differ.
type attemptCoder struct {
	reading bool
	written []byte
	codec.Decoder
	err error
}

// string is for a text of any length, or a type of one.
func (c *attemptCoder) string(s *string) {
	if c.reading {
		*s = c.Text()
		return
	}
	c.written = codec.AppendText(c.written, *s)
}

// int is a varint, so that a small number takes one byte.
func (c *attemptCoder) int(n *int) {
	if c.reading {
		*n = int(c.Varint())
		return
	}
	c.written = binary.AppendVarint(c.written, int64(*n))
}

// bool is an int of 0 or 1.
func (c *attemptCoder) bool(b *bool) {
	n := 0
	if *b {
		n = 1
	}
	c.int(&n)
	*b = n == 1
}

// time keeps nanoseconds: a claim is known by its time.
func (c *attemptCoder) time(t *time.Time) {
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

// digest has no length before it: there is but one.
func (c *attemptCoder) digest(d *digest) {
	if c.reading {
		copy(d[:], c.Take(uint64(len(d))))
		return
	}
	c.written = append(c.written, d[:]...)
}

// json is for what is seldom there, and is another package's.
func (c *attemptCoder) json(v any) {
	if c.reading {
		c.err = errors.Join(c.err, json.Unmarshal(c.Bytes(), v))
		return
	}
	b, err := json.Marshal(v)
	c.written = codec.AppendText(c.written, b)
	c.err = errors.Join(c.err, err)
}

// some reports whether there is a T, and makes one to read into.
func some[T any](c *attemptCoder, p **T) bool {
	there := *p != nil
	c.bool(&there)
	if c.reading && there {
		*p = new(T)
	}
	return there
}
