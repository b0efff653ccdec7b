// Package codec writes and reads the length-prefixed fields that stored logins and
// sessions consist of.
package codec

import "encoding/binary"

// AppendText appends text and, before it, its length.
func AppendText[T string | []byte](b []byte, text T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// Decoder reads fields from the front of its input. A read beyond the end makes
// Failed true, and every value returned from then on is meaningless: callers check
// Failed once, at the end.
type Decoder struct {
	Rest   []byte // the input not read yet
	Failed bool
	shared string // all of the input as a string, if texts may share its memory
}

// NewDecoder returns a Decoder of b whose texts are copies, so that a text that is
// kept does not pin the whole record.
func NewDecoder(b []byte) Decoder { return Decoder{Rest: b} }

// NewSharedDecoder returns a Decoder of b whose texts share one copy of the input.
// It suits records that live and die as a whole.
func NewSharedDecoder(b []byte) Decoder { return Decoder{Rest: b, shared: string(b)} }

// Take returns the next n bytes. They are part of the input, not a copy.
func (d *Decoder) Take(n uint64) []byte {
	if d.Failed || n > uint64(len(d.Rest)) {
		d.Failed = true
		return nil
	}
	b := d.Rest[:n]
	d.Rest = d.Rest[n:]
	return b
}

// Varint reads an integer that [binary.AppendVarint] wrote.
func (d *Decoder) Varint() int64 {
	v, n := binary.Varint(d.Rest)
	d.Take(uint64(max(n, 0)))
	d.Failed = d.Failed || n <= 0
	return v
}

// Uvarint reads an integer that [binary.AppendUvarint] wrote.
func (d *Decoder) Uvarint() uint64 {
	v, n := binary.Uvarint(d.Rest)
	d.Take(uint64(max(n, 0)))
	d.Failed = d.Failed || n <= 0
	return v
}

// Bytes reads what [AppendText] wrote. The result is part of the input, not a copy.
func (d *Decoder) Bytes() []byte { return d.Take(d.Uvarint()) }

// Text reads what [AppendText] wrote, as a string.
func (d *Decoder) Text() string {
	b := d.Bytes()
	if d.shared == "" {
		return string(b)
	}
	end := len(d.shared) - len(d.Rest)
	return d.shared[end-len(b) : end]
}
