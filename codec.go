package scangate

import "encoding/binary"

// appendText appends a text and, before it, its length.
func appendText[T string | []byte](b []byte, text T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// decoder reads from the front of rest; it has failed once there is not
// what was to be read.
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

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	d.take(uint64(max(n, 0))) //nolint:gosec // not negative
	d.failed = d.failed || n <= 0
	return v
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	d.take(uint64(max(n, 0))) //nolint:gosec // not negative
	d.failed = d.failed || n <= 0
	return v
}

func (d *decoder) bytes() []byte { return d.take(d.uvarint()) }

func (d *decoder) text() string {
	b := d.bytes()
	if d.all == "" {
		return string(b)
	}
	end := len(d.all) - len(d.rest)
	return d.all[end-len(b) : end]
}
