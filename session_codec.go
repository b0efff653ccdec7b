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

	"github.com/scangate/scangate/internal/codec"
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
	tagNil byte = iota
	tagFalse
	tagTrue
	tagString
	tagBytes
	tagTime
	tagInt
	tagInt8
	tagInt16
	tagInt32
	tagInt64
	tagUint
	tagUint8
	tagUint16
	tagUint32
	tagUint64
	tagFloat32
	tagFloat64
	tagGob
)

// Encode implements [scs.Codec].
func (SessionCodec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	b := make([]byte, 0, 128)
	b = append(b, codecMagic...)
	b = binary.AppendVarint(b, deadline.Unix())
	b = binary.AppendUvarint(b, uint64(deadline.Nanosecond())) //nolint:gosec // never negative
	b = binary.AppendUvarint(b, uint64(len(values)))
	for key, value := range values {
		b = codec.AppendText(b, key)
		var err error
		if b, err = appendValue(b, value); err != nil {
			return nil, fmt.Errorf("scangate: encoding the session's %q: %w", key, err)
		}
	}
	return b, nil
}

// appendValue appends a value's kind and form.
func appendValue(b []byte, value any) ([]byte, error) {
	switch v := value.(type) {
	case nil:
		return append(b, tagNil), nil
	case bool:
		if v {
			return append(b, tagTrue), nil
		}
		return append(b, tagFalse), nil
	case string:
		return codec.AppendText(append(b, tagString), v), nil
	case []byte:
		return codec.AppendText(append(b, tagBytes), v), nil
	case time.Time:
		text, err := v.MarshalBinary()
		return codec.AppendText(append(b, tagTime), text), err
	case float32:
		return binary.LittleEndian.AppendUint32(append(b, tagFloat32), math.Float32bits(v)), nil
	case float64:
		return binary.LittleEndian.AppendUint64(append(b, tagFloat64), math.Float64bits(v)), nil
	}
	if b, ok := appendInteger(b, value); ok {
		return b, nil
	}
	var text bytes.Buffer
	if err := gob.NewEncoder(&text).Encode(&value); err != nil {
		return nil, err
	}
	return codec.AppendText(append(b, tagGob), text.Bytes()), nil
}

// appendInteger appends value if it is one of Go's integers.
func appendInteger(b []byte, value any) ([]byte, bool) {
	switch v := value.(type) {
	case int:
		return binary.AppendVarint(append(b, tagInt), int64(v)), true
	case int8:
		return binary.AppendVarint(append(b, tagInt8), int64(v)), true
	case int16:
		return binary.AppendVarint(append(b, tagInt16), int64(v)), true
	case int32:
		return binary.AppendVarint(append(b, tagInt32), int64(v)), true
	case int64:
		return binary.AppendVarint(append(b, tagInt64), v), true
	case uint:
		return binary.AppendUvarint(append(b, tagUint), uint64(v)), true
	case uint8:
		return binary.AppendUvarint(append(b, tagUint8), uint64(v)), true
	case uint16:
		return binary.AppendUvarint(append(b, tagUint16), uint64(v)), true
	case uint32:
		return binary.AppendUvarint(append(b, tagUint32), uint64(v)), true
	case uint64:
		return binary.AppendUvarint(append(b, tagUint64), v), true
	}
	return b, false
}

// Decode implements [scs.Codec].
func (SessionCodec) Decode(b []byte) (time.Time, map[string]any, error) {
	if !bytes.HasPrefix(b, []byte(codecMagic)) {
		return scs.GobCodec{}.Decode(b)
	}
	d := valueDecoder{codec.NewDecoder(b[len(codecMagic):])} // who keeps a text keeps no more than that
	seconds, nanos, n := d.Varint(), d.Uvarint(), d.Uvarint()
	if d.Failed || nanos >= uint64(time.Second) || n > uint64(len(d.Rest)) {
		return time.Time{}, nil, errDamagedSession
	}
	values := make(map[string]any, n)
	for range n {
		key := d.Text()
		value, err := d.value()
		if err != nil || d.Failed {
			return time.Time{}, nil, errors.Join(errDamagedSession, err)
		}
		values[key] = value
	}
	if len(d.Rest) > 0 {
		return time.Time{}, nil, errDamagedSession
	}
	return time.Unix(seconds, int64(nanos)).UTC(), values, nil //nolint:gosec // under a second
}

// value reads a kind and what it says.
func (d *valueDecoder) value() (any, error) {
	tag := d.Take(1)
	if d.Failed {
		return nil, errDamagedSession
	}
	switch tag[0] {
	case tagNil:
		return nil, nil
	case tagFalse:
		return false, nil
	case tagTrue:
		return true, nil
	case tagString:
		return d.Text(), nil
	case tagBytes:
		return bytes.Clone(d.Bytes()), nil
	case tagTime:
		var t time.Time
		err := t.UnmarshalBinary(d.Bytes())
		return t, err
	case tagFloat32, tagFloat64:
		return d.float(tag[0])
	case tagGob:
		var v any
		err := gob.NewDecoder(bytes.NewReader(d.Bytes())).Decode(&v)
		return v, err
	}
	if tag[0] >= tagUint && tag[0] <= tagUint64 {
		return d.unsigned(tag[0])
	}
	return d.signed(tag[0])
}

// float reads the bits of a float32 or a float64.
func (d *valueDecoder) float(tag byte) (any, error) {
	if tag == tagFloat32 {
		if b := d.Take(4); !d.Failed {
			return math.Float32frombits(binary.LittleEndian.Uint32(b)), nil
		}
	} else if b := d.Take(8); !d.Failed {
		return math.Float64frombits(binary.LittleEndian.Uint64(b)), nil
	}
	return nil, errDamagedSession
}

// signed reads an integer, which has to fit into its type.
func (d *valueDecoder) signed(tag byte) (any, error) {
	v := d.Varint()
	switch {
	case tag == tagInt && int64(int(v)) == v:
		return int(v), nil
	case tag == tagInt8 && int64(int8(v)) == v: //nolint:gosec // that is the question
		return int8(v), nil //nolint:gosec // it fits
	case tag == tagInt16 && int64(int16(v)) == v: //nolint:gosec // that is the question
		return int16(v), nil //nolint:gosec // it fits
	case tag == tagInt32 && int64(int32(v)) == v: //nolint:gosec // that is the question
		return int32(v), nil //nolint:gosec // it fits
	case tag == tagInt64:
		return v, nil
	}
	return nil, errDamagedSession
}

// unsigned is signed for what is never negative.
func (d *valueDecoder) unsigned(tag byte) (any, error) {
	v := d.Uvarint()
	switch {
	case tag == tagUint && uint64(uint(v)) == v:
		return uint(v), nil
	case tag == tagUint8 && v <= math.MaxUint8:
		return uint8(v), nil
	case tag == tagUint16 && v <= math.MaxUint16:
		return uint16(v), nil
	case tag == tagUint32 && v <= math.MaxUint32:
		return uint32(v), nil
	case tag == tagUint64:
		return v, nil
	}
	return nil, errDamagedSession
}

// valueDecoder reads the values of a session.
type valueDecoder struct{ codec.Decoder }
