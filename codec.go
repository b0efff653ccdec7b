package scangate

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/alexedwards/scs/v2"
)

// SessionCodec encodes sessions for scs, several times as fast as its default,
// which is encoding/gob. What is taken out of a session is of the Go type that
// was put in: the basic types, []byte and [time.Time] have a form of their own,
// and all other types go by gob and need [gob.Register], as ever. Sessions that
// scs's GobCodec wrote are read too, so that a change to SessionCodec logs nobody
// out.
//
// A [Gate] that makes its own session manager uses it. For the application's own:
//
//	sessions := scs.New()
//	sessions.Codec = scangate.SessionCodec{}
type SessionCodec struct{}

var _ scs.Codec = SessionCodec{}

// codecMagic begins what SessionCodec writes. A gob stream can't begin with a
// zero, which would be a message without a byte.
const codecMagic = "\x00\x01"

// errDamagedSession says that a stored session can't be read.
var errDamagedSession = errors.New("scangate: a damaged session")

// The kinds of values, as they are stored. Their numbers never change.
const (
	kindNil byte = iota
	kindFalse
	kindTrue
	kindString
	kindBytes
	kindTime
	kindInt
	kindInt8
	kindInt16
	kindInt32
	kindInt64
	kindUint
	kindUint8
	kindUint16
	kindUint32
	kindUint64
	kindFloat32
	kindFloat64
	kindGob
)

// Encode implements [scs.Codec].
func (SessionCodec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	b := make([]byte, 0, 128)
	b = append(b, codecMagic...)
	b = binary.AppendVarint(b, deadline.Unix())
	b = binary.AppendUvarint(b, uint64(deadline.Nanosecond())) //nolint:gosec // never negative
	b = binary.AppendUvarint(b, uint64(len(values)))
	for key, value := range values {
		b = appendText(b, key)
		var err error
		if b, err = appendValue(b, value); err != nil {
			return nil, fmt.Errorf("scangate: encoding the session's %q: %w", key, err)
		}
	}
	return b, nil
}

func appendText[T string | []byte](b []byte, text T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// appendValue appends a value's kind and form.
func appendValue(b []byte, value any) ([]byte, error) {
	switch v := value.(type) {
	case nil:
		return append(b, kindNil), nil
	case bool:
		if v {
			return append(b, kindTrue), nil
		}
		return append(b, kindFalse), nil
	case string:
		return appendText(append(b, kindString), v), nil
	case []byte:
		return appendText(append(b, kindBytes), v), nil
	case time.Time:
		text, err := v.MarshalBinary()
		return appendText(append(b, kindTime), text), err
	case float32:
		return binary.LittleEndian.AppendUint32(append(b, kindFloat32), math.Float32bits(v)), nil
	case float64:
		return binary.LittleEndian.AppendUint64(append(b, kindFloat64), math.Float64bits(v)), nil
	}
	if b, ok := appendInteger(b, value); ok {
		return b, nil
	}
	var text bytes.Buffer
	if err := gob.NewEncoder(&text).Encode(&value); err != nil {
		return nil, err
	}
	return appendText(append(b, kindGob), text.Bytes()), nil
}

// appendInteger appends value if it is one of Go's integers.
func appendInteger(b []byte, value any) ([]byte, bool) {
	switch v := value.(type) {
	case int:
		return binary.AppendVarint(append(b, kindInt), int64(v)), true
	case int8:
		return binary.AppendVarint(append(b, kindInt8), int64(v)), true
	case int16:
		return binary.AppendVarint(append(b, kindInt16), int64(v)), true
	case int32:
		return binary.AppendVarint(append(b, kindInt32), int64(v)), true
	case int64:
		return binary.AppendVarint(append(b, kindInt64), v), true
	case uint:
		return binary.AppendUvarint(append(b, kindUint), uint64(v)), true
	case uint8:
		return binary.AppendUvarint(append(b, kindUint8), uint64(v)), true
	case uint16:
		return binary.AppendUvarint(append(b, kindUint16), uint64(v)), true
	case uint32:
		return binary.AppendUvarint(append(b, kindUint32), uint64(v)), true
	case uint64:
		return binary.AppendUvarint(append(b, kindUint64), v), true
	}
	return b, false
}

// Decode implements [scs.Codec].
func (SessionCodec) Decode(b []byte) (time.Time, map[string]any, error) {
	if !bytes.HasPrefix(b, []byte(codecMagic)) {
		return scs.GobCodec{}.Decode(b)
	}
	d := sessionDecoder{rest: b[len(codecMagic):]}
	seconds, nanos, n := d.varint(), d.uvarint(), d.uvarint()
	if d.failed || nanos >= uint64(time.Second) || n > uint64(len(d.rest)) {
		return time.Time{}, nil, errDamagedSession
	}
	values := make(map[string]any, n)
	for range n {
		key := string(d.bytes())
		value, err := d.value()
		if err != nil || d.failed {
			return time.Time{}, nil, errors.Join(errDamagedSession, err)
		}
		values[key] = value
	}
	if len(d.rest) > 0 {
		return time.Time{}, nil, errDamagedSession
	}
	return time.Unix(seconds, int64(nanos)).UTC(), values, nil //nolint:gosec // under a second
}

// sessionDecoder reads from the front of rest; it has failed once there is not
// what was to be read.
type sessionDecoder struct {
	rest   []byte
	failed bool
}

// take returns the next n bytes.
func (d *sessionDecoder) take(n uint64) []byte {
	if d.failed || n > uint64(len(d.rest)) {
		d.failed = true
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *sessionDecoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	d.take(uint64(max(n, 0))) //nolint:gosec // not negative
	d.failed = d.failed || n <= 0
	return v
}

func (d *sessionDecoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	d.take(uint64(max(n, 0))) //nolint:gosec // not negative
	d.failed = d.failed || n <= 0
	return v
}

func (d *sessionDecoder) bytes() []byte { return d.take(d.uvarint()) }

// value reads a kind and what it says.
func (d *sessionDecoder) value() (any, error) {
	kind := d.take(1)
	if d.failed {
		return nil, errDamagedSession
	}
	switch kind[0] {
	case kindNil:
		return nil, nil
	case kindFalse:
		return false, nil
	case kindTrue:
		return true, nil
	case kindString:
		return string(d.bytes()), nil
	case kindBytes:
		return bytes.Clone(d.bytes()), nil
	case kindTime:
		var t time.Time
		err := t.UnmarshalBinary(d.bytes())
		return t, err
	case kindFloat32, kindFloat64:
		return d.float(kind[0])
	case kindGob:
		var v any
		err := gob.NewDecoder(bytes.NewReader(d.bytes())).Decode(&v)
		return v, err
	}
	if kind[0] >= kindUint && kind[0] <= kindUint64 {
		return d.unsigned(kind[0])
	}
	return d.signed(kind[0])
}

func (d *sessionDecoder) float(kind byte) (any, error) {
	if kind == kindFloat32 {
		if b := d.take(4); !d.failed {
			return math.Float32frombits(binary.LittleEndian.Uint32(b)), nil
		}
	} else if b := d.take(8); !d.failed {
		return math.Float64frombits(binary.LittleEndian.Uint64(b)), nil
	}
	return nil, errDamagedSession
}

// signed reads an integer, which has to fit into its type.
func (d *sessionDecoder) signed(kind byte) (any, error) {
	v := d.varint()
	switch {
	case kind == kindInt && int64(int(v)) == v:
		return int(v), nil
	case kind == kindInt8 && int64(int8(v)) == v: //nolint:gosec // that is the question
		return int8(v), nil //nolint:gosec // it fits
	case kind == kindInt16 && int64(int16(v)) == v: //nolint:gosec // that is the question
		return int16(v), nil //nolint:gosec // it fits
	case kind == kindInt32 && int64(int32(v)) == v: //nolint:gosec // that is the question
		return int32(v), nil //nolint:gosec // it fits
	case kind == kindInt64:
		return v, nil
	}
	return nil, errDamagedSession
}

func (d *sessionDecoder) unsigned(kind byte) (any, error) {
	v := d.uvarint()
	switch {
	case kind == kindUint && uint64(uint(v)) == v:
		return uint(v), nil
	case kind == kindUint8 && v <= math.MaxUint8:
		return uint8(v), nil
	case kind == kindUint16 && v <= math.MaxUint16:
		return uint16(v), nil
	case kind == kindUint32 && v <= math.MaxUint32:
		return uint32(v), nil
	case kind == kindUint64:
		return v, nil
	}
	return nil, errDamagedSession
}
