// Package scscodec encodes sessions for the session manager scs,
// github.com/alexedwards/scs, several times as fast as its default, encoding/gob. It has
// nothing to do with WeChat and needs no gate:
//
//	sessions := scs.New()
//	sessions.Codec = scscodec.Codec{}
package scscodec

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

// ErrDamaged reports a damaged session: a stored record that [Codec.Decode] cannot
// decode. Its format version is unknown, its lengths do not fit, it has a value that gob
// refuses, or it is not a session at all. Match it with [errors.Is].
var ErrDamaged = errors.New("scscodec: a damaged session")

// Codec is an [scs.Codec]. Its zero value is ready for use.
//
// Values come out of a session with the Go type that they went in with. The basic types
// except complex numbers, []byte and [time.Time] have a compact form. All other types are
// encoded by gob and need [gob.Register], as with [scs.GobCodec].
//
// Decode also reads the records of scs.GobCodec, so an application can change its codec
// without ending sessions. scs.GobCodec does not read the records of Codec: change the
// codec when no process uses the old one any more.
type Codec struct{}

var _ scs.Codec = Codec{}

// Every record begins with the marker and the version. A gob stream begins with the
// length of a message, which is never zero.
const (
	marker  = 0
	version = 1
)

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

// Encode implements [scs.Codec]. It returns an error for a value that gob cannot encode,
// such as one of a type that is not registered.
func (Codec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	b := append(make([]byte, 0, 128), marker, version)
	b = binary.AppendVarint(b, deadline.Unix())
	b = binary.AppendUvarint(b, uint64(deadline.Nanosecond())) //nolint:gosec // 0 to 999,999,999
	b = binary.AppendUvarint(b, uint64(len(values)))
	for key, value := range values {
		b = codec.AppendText(b, key)
		var err error
		if b, err = appendValue(b, value); err != nil {
			return nil, fmt.Errorf("scscodec: encoding the value of %q: %w", key, err)
		}
	}
	return b, nil
}

// appendValue appends the tag of value's type and the value.
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
	// The pointer makes gob encode the interface, and with it the name of the type.
	if err := gob.NewEncoder(&text).Encode(&value); err != nil {
		return nil, err
	}
	return codec.AppendText(append(b, tagGob), text.Bytes()), nil
}

// appendInteger appends the tag of value's type and the value. It reports false, and
// appends nothing, if value is not of one of Go's integer types.
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

// Decode implements [scs.Codec]. Every error matches [ErrDamaged].
func (Codec) Decode(b []byte) (deadline time.Time, values map[string]any, err error) {
	if len(b) > 0 && b[0] == marker {
		deadline, values, err = decode(b[1:])
	} else {
		deadline, values, err = decodeGob(b)
	}
	if err != nil {
		return time.Time{}, nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return deadline, values, nil
}

// decodeGob decodes a record of scs.GobCodec.
func decodeGob(b []byte) (time.Time, map[string]any, error) {
	deadline, values, err := scs.GobCodec{}.Decode(b)
	if values == nil {
		values = make(map[string]any) // gob leaves out a nil map, and scs writes into it
	}
	return deadline, values, err
}

// errMalformed is the cause where the lengths, tags or numbers of a record do not fit.
var errMalformed = errors.New("malformed record")

// decode decodes a record of Codec, from its version on.
func decode(b []byte) (time.Time, map[string]any, error) {
	if len(b) == 0 || b[0] != version {
		return time.Time{}, nil, errors.New("unknown format version")
	}
	// The decoder copies strings, so a value that is kept does not pin the whole record.
	d := valueDecoder{codec.NewDecoder(b[1:])}
	seconds, nanos, n, ok := d.head()
	if !ok {
		return time.Time{}, nil, errMalformed
	}
	values := make(map[string]any, n)
	for range n {
		key := d.Text()
		value, err := d.value()
		if err != nil {
			return time.Time{}, nil, err
		}
		values[key] = value
	}
	if d.Failed || len(d.Rest) > 0 {
		return time.Time{}, nil, errMalformed
	}
	return time.Unix(seconds, int64(nanos)).UTC(), values, nil //nolint:gosec // checked: under a second
}

// valueDecoder decodes the values of a session.
type valueDecoder struct{ codec.Decoder }

// head decodes the deadline and the number of values. It reports false if they do not fit.
func (d *valueDecoder) head() (seconds int64, nanos, n uint64, ok bool) {
	seconds, nanos, n = d.Varint(), d.Uvarint(), d.Uvarint()
	return seconds, nanos, n, !d.Failed && nanos < uint64(time.Second) && n <= uint64(len(d.Rest))
}

// value decodes a tag and the value of that type. After a nil error the value is
// meaningless if d.Failed is set.
func (d *valueDecoder) value() (any, error) {
	tag := d.Take(1)
	if d.Failed {
		return nil, errMalformed
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

// float decodes the bits of a float32 or a float64.
func (d *valueDecoder) float(tag byte) (any, error) {
	if tag == tagFloat32 {
		if b := d.Take(4); !d.Failed {
			return math.Float32frombits(binary.LittleEndian.Uint32(b)), nil
		}
	} else if b := d.Take(8); !d.Failed {
		return math.Float64frombits(binary.LittleEndian.Uint64(b)), nil
	}
	return nil, errMalformed
}

// signed decodes an integer that fits into the signed type of the tag.
func (d *valueDecoder) signed(tag byte) (any, error) {
	v := d.Varint()
	if !fitsSigned(tag, v) {
		return nil, errMalformed // or a tag of a later version
	}
	switch tag {
	case tagInt:
		return int(v), nil
	case tagInt8:
		return int8(v), nil
	case tagInt16:
		return int16(v), nil
	case tagInt32:
		return int32(v), nil
	}
	return v, nil
}

// fitsSigned reports whether the tag is that of a signed type which can hold v.
func fitsSigned(tag byte, v int64) bool {
	switch tag {
	case tagInt:
		return int64(int(v)) == v
	case tagInt8:
		return v >= math.MinInt8 && v <= math.MaxInt8
	case tagInt16:
		return v >= math.MinInt16 && v <= math.MaxInt16
	case tagInt32:
		return v >= math.MinInt32 && v <= math.MaxInt32
	}
	return tag == tagInt64
}

// unsigned decodes an integer that fits into the unsigned type of the tag.
func (d *valueDecoder) unsigned(tag byte) (any, error) {
	v := d.Uvarint()
	if !fitsUnsigned(tag, v) {
		return nil, errMalformed
	}
	switch tag {
	case tagUint:
		return uint(v), nil
	case tagUint8:
		return uint8(v), nil
	case tagUint16:
		return uint16(v), nil
	case tagUint32:
		return uint32(v), nil
	}
	return v, nil
}

// fitsUnsigned reports whether the tag is that of an unsigned type which can hold v.
func fitsUnsigned(tag byte, v uint64) bool {
	switch tag {
	case tagUint:
		return uint64(uint(v)) == v
	case tagUint8:
		return v <= math.MaxUint8
	case tagUint16:
		return v <= math.MaxUint16
	case tagUint32:
		return v <= math.MaxUint32
	}
	return tag == tagUint64
}
