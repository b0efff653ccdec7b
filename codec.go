package scangate

import "encoding/binary"

// appendText appends a text and, before it, its length.
func appendText[T string | []byte](b []byte, text T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// decoder reads from the front of rest. Once there is less than was to be read it
// has failed, and all that it returns from then on means nothing: callers look at
// failed at the end.
type decoder struct {
	rest   []byte
	all    string // what there was to read, if texts are to be parts of it and no copies
	failed bool
}

// take returns the next n bytes.
func (d *decoder) take(n uint64) []byte {
	if d.failed || n > uint64(len(d.rest)) {
		d.failed = true
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

// varint reads what [binary.AppendVarint] wrote.
func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	d.take(uint64(max(n, 0))) //nolint:gosec // not negative
	d.failed = d.failed || n <= 0
	return v
}

// uvarint reads what [binary.AppendUvarint] wrote.
func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	d.take(uint64(max(n, 0))) //nolint:gosec // not negative
	d.failed = d.failed || n <= 0
	return v
}

// bytes reads what appendText wrote. It returns a part of rest, and no copy.
func (d *decoder) bytes() []byte { return d.take(d.uvarint()) }

// text is bytes as a string.
func (d *decoder) text() string {
	b := d.bytes()
	if d.all == "" {
		return string(b)
	}
	end := len(d.all) - len(d.rest)
	return d.all[end-len(b) : end]
}
