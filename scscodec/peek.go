package scscodec

import (
	"time"

	"github.com/scangate/scangate/internal/codec"
)

// Peek returns the string at key in a record of Encode, without decoding the other values
// and without allocating. The string is nil if there is no value at key, or one of another
// type, and is part of the record otherwise.
//
// Peek checks the whole record. If it reports true, Decode returns no error for the record.
// It reports false for a damaged record, for one of scs.GobCodec, and for one with a value
// that gob has encoded: only Decode can check these.
func (Codec) Peek(record []byte, key string) (text []byte, ok bool) {
	if len(record) < 2 || record[0] != marker || record[1] != version {
		return nil, false
	}
	d := valueDecoder{codec.NewDecoder(record[2:])}
	_, _, n, ok := d.head()
	if !ok {
		return nil, false
	}
	for range n {
		named := string(d.Bytes()) == key // does not allocate
		value, isText, ok := d.check()
		if !ok {
			return nil, false
		}
		if named { // of two values at one key, Decode keeps the later one
			text = nil
			if isText {
				text = value
			}
		}
	}
	return text, !d.Failed && len(d.Rest) == 0
}

// check reads a value as [valueDecoder.value] does, and reports whether that would succeed.
// It returns the bytes of a string.
func (d *valueDecoder) check() (text []byte, isText, ok bool) {
	tag := d.Take(1)
	if d.Failed {
		return nil, false, false
	}
	switch tag := tag[0]; {
	case tag <= tagTrue:
	case tag == tagString:
		return d.Bytes(), true, !d.Failed
	case tag == tagBytes:
		d.Bytes()
	case tag == tagTime:
		var t time.Time
		return nil, false, t.UnmarshalBinary(d.Bytes()) == nil && !d.Failed
	case tag == tagFloat32:
		d.Take(4)
	case tag == tagFloat64:
		d.Take(8)
	case tag >= tagInt && tag <= tagInt64:
		return nil, false, fitsSigned(tag, d.Varint()) && !d.Failed
	case tag >= tagUint && tag <= tagUint64:
		return nil, false, fitsUnsigned(tag, d.Uvarint()) && !d.Failed
	default: // gob's, or a tag of a later version
		return nil, false, false
	}
	return nil, false, !d.Failed
}
