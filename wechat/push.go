package wechat

import (
	"net/url"
	"time"
)

// MaxMessageAge is the largest difference between a message's time and this server's clock
// that [Cipher.Open] accepts. WeChat repeats a message for 15 seconds only.
const MaxMessageAge = 10 * time.Minute

// Push is a verified message from WeChat. [Cipher.Open] returns one.
type Push struct {
	// Message is the message.
	Message Message
	// Key is the key that the message was encrypted with. The reply has the same.
	Key Key

	cipher *Cipher
	format Format // of the request's body
}

// Open verifies, decrypts and parses the push in the body of a request. The query is that
// of the request. Open requires the encrypted mode ("安全模式"). In the compatible mode it
// ignores everything outside of Encrypt, which has no signature.
//
// The error matches [ErrMessage] if the body or the decrypted text is malformed, and
// [ErrUnverified] in all other cases, also for a message whose time differs from this
// server's by more than [MaxMessageAge]. Answer both with an error status and no detail.
//
// WeChat repeats a push that is not answered in 5 seconds. See [Message.RepeatKey].
func (c *Cipher) Open(query url.Values, body []byte) (Push, error) {
	outer, err := parseDocument(body)
	if err != nil {
		return Push{}, err
	}
	text, key, err := c.Decrypt(query, outer.field("Encrypt"))
	if err != nil {
		return Push{}, err
	}
	message, err := ParseMessage(text)
	if err != nil {
		return Push{}, err
	}
	// The timestamp in the query is as new as the signature. A stolen token could sign
	// an old message again.
	if age := time.Since(message.CreateTime); age > MaxMessageAge || age < -MaxMessageAge {
		return Push{}, unverified("")
	}
	return Push{Message: message, Key: key, cipher: c, format: outer.format}, nil
}

// Reply returns the body of the response to a push: the encrypted reply, in the format of
// the request, or [Success] for a reply that sends nothing. Write it within 5 seconds of
// the request.
func (p Push) Reply(r Reply) []byte {
	text := r.Encode(p.Message)
	if string(text) == Success {
		return text
	}
	return p.cipher.Encrypt(text, p.Key).Encode(p.format)
}
