package wechat

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // WeChat signs with SHA-1
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrUnverified means that a push does not come from WeChat, or that the [CipherConfig]
// is not the account's. It does not distinguish a wrong signature from a wrong key, a
// wrong AppID or an old message.
var ErrUnverified = errors.New("not verified")

const (
	// blockSize is the size of a padded block in bytes. AES itself pads to 16.
	blockSize = 32
	// prefixSize is the number of random bytes before the length of a text.
	prefixSize = 16
)

// Key names one of the keys of a [Cipher].
type Key int

const (
	// CurrentKey is CipherConfig.EncodingAESKey.
	CurrentKey Key = iota
	// FormerKey is CipherConfig.FormerEncodingAESKey.
	FormerKey
)

// Cipher verifies, decrypts and encrypts the messages that WeChat pushes to an account's
// server. [NewCipher] returns one. It is safe for concurrent use, and it prints without
// its secrets.
type Cipher struct {
	appID string
	// token and keys are functions because fmt and log handlers print the address of a
	// function.
	token func() string
	keys  []func() []byte // by Key
}

// NewCipher returns a cipher for an account. Its error names each field at fault.
func NewCipher(config CipherConfig) (*Cipher, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	c := &Cipher{appID: config.AppID, token: func() string { return config.Token }}
	for _, encoded := range []string{config.EncodingAESKey, config.FormerEncodingAESKey} {
		if key := decodeKey(encoded); key != nil {
			c.keys = append(c.keys, func() []byte { return key })
		}
	}
	return c, nil
}

// Echo returns the answer to WeChat's check of a push URL: a GET with echostr. The answer
// must be the whole body of the response. It consists of letters, digits and the
// characters -_+/=. of ASCII, so no browser takes it for markup.
//
// The error matches [ErrUnverified] if the signature in the query is not WeChat's.
func (c *Cipher) Echo(query url.Values) (string, error) {
	signed, err := parseSigned(query, "signature")
	if err != nil {
		return "", err
	}
	echo, ok := single(query, "echostr")
	if !ok || echo == "" || len(echo) > maxID || !consistsOf(echo, alphanumeric+"-_+/=.") {
		return "", unverified("echostr is missing or malformed")
	}
	if !signed.matches(c.token()) {
		return "", unverified("")
	}
	return echo, nil
}

// Decrypt verifies and decrypts the value of Encrypt in a push. The query is that of the
// request. Decrypt compares msg_signature in constant time before it decrypts anything.
// It returns the text, and the key to encrypt the reply with.
//
// The error matches [ErrUnverified]. It names a fault in the form of the values: the
// timestamp must have 10 digits, the nonce 1 to 32 letters and digits, and Encrypt must be
// base64 of a multiple of 32 bytes. For all other faults it has the same text.
//
// A signature has no time limit. [Cipher.Open] compares the message's own time.
func (c *Cipher) Decrypt(query url.Values, encrypt string) (text []byte, key Key, err error) {
	signed, err := parseSigned(query, "msg_signature")
	if err != nil {
		return nil, 0, err
	}
	// The signature joins its parts without separators. With these forms, no character
	// can move from one part to another.
	sealed, ok := decodeSealed(encrypt)
	if !ok {
		return nil, 0, unverified("Encrypt is not base64 of a multiple of 32 bytes")
	}
	if !signed.matches(c.token(), encrypt) {
		return nil, 0, unverified("")
	}
	for key, secret := range c.keys {
		if text, ok := c.open(secret(), sealed); ok {
			return text, Key(key), nil
		}
	}
	return nil, 0, unverified("")
}

// Encrypt encrypts and signs a reply with the key that [Cipher.Decrypt] returned. Without
// a former key, it uses the current one.
func (c *Cipher) Encrypt(text []byte, key Key) Envelope {
	secret := c.keys[0]()
	if key == FormerKey && len(c.keys) > 1 {
		secret = c.keys[1]()
	}
	e := Envelope{
		Encrypt:   base64.StdEncoding.EncodeToString(c.seal(secret, text)),
		TimeStamp: time.Now().Unix(),
		Nonce:     rand.Text(),
	}
	e.MsgSignature = sign(c.token(), strconv.FormatInt(e.TimeStamp, 10), e.Nonce, e.Encrypt)
	return e
}

// seal encrypts text: 16 random bytes, the length of the text as 32 bits in network
// order, the text and the AppID, padded to a multiple of 32 bytes (PKCS#7).
func (c *Cipher) seal(secret, text []byte) []byte {
	plain := make([]byte, prefixSize, prefixSize+4+len(text)+len(c.appID)+blockSize)
	_, _ = rand.Read(plain) // never fails
	plain = binary.BigEndian.AppendUint32(plain, uint32(len(text)))
	plain = append(append(plain, text...), c.appID...)
	padding := blockSize - len(plain)%blockSize
	plain = append(plain, bytes.Repeat([]byte{byte(padding)}, padding)...)
	cipher.NewCBCEncrypter(block(secret), secret[:aes.BlockSize]).CryptBlocks(plain, plain)
	return plain
}

// open decrypts the result of seal. It reports false if the padding, the length or the
// AppID is wrong.
func (c *Cipher) open(secret, sealed []byte) (text []byte, ok bool) {
	plain := make([]byte, len(sealed))
	cipher.NewCBCDecrypter(block(secret), secret[:aes.BlockSize]).CryptBlocks(plain, sealed)
	padding := int(plain[len(plain)-1])
	if padding < 1 || padding > blockSize || bytes.Count(plain[len(plain)-padding:], []byte{byte(padding)}) != padding {
		return nil, false
	}
	plain = plain[:len(plain)-padding]
	if len(plain) < prefixSize+4 {
		return nil, false
	}
	length := uint64(binary.BigEndian.Uint32(plain[prefixSize:]))
	plain = plain[prefixSize+4:]
	if length > uint64(len(plain)) || string(plain[length:]) != c.appID {
		return nil, false
	}
	return plain[:length:length], true
}

// block returns AES with a key of 32 bytes.
func block(secret []byte) cipher.Block {
	b, err := aes.NewCipher(secret)
	if err != nil {
		panic("wechat: " + err.Error()) // only for a key of another size, which NewCipher refuses
	}
	return b
}

// decodeSealed decodes the value of Encrypt, and reports whether it is well-formed.
func decodeSealed(encrypt string) ([]byte, bool) {
	// The decoder ignores line ends, which would be characters that can move.
	if strings.ContainsAny(encrypt, "\r\n") || len(encrypt) > MaxMessage {
		return nil, false
	}
	sealed, err := base64.StdEncoding.Strict().DecodeString(encrypt)
	return sealed, err == nil && len(sealed) > 0 && len(sealed)%blockSize == 0
}

// signed holds the parameters of a query that is signed with the account's token.
type signed struct{ timestamp, nonce, signature string }

// parseSigned returns the signed parameters of a query. name is the signature's
// parameter.
func parseSigned(query url.Values, name string) (signed, error) {
	timestamp, _ := single(query, "timestamp")
	nonce, _ := single(query, "nonce")
	signature, _ := single(query, name)
	switch {
	case len(timestamp) != 10 || !consistsOf(timestamp, digits):
		return signed{}, unverified("timestamp is not 10 digits")
	case nonce == "" || len(nonce) > 32 || !consistsOf(nonce, alphanumeric):
		return signed{}, unverified("nonce is not 1 to 32 letters and digits")
	case len(signature) != 2*sha1.Size || !consistsOf(signature, "0123456789abcdef"):
		return signed{}, unverified(name + " is not 40 hexadecimal digits")
	}
	return signed{timestamp, nonce, signature}, nil
}

// matches reports, in constant time, whether s is signed with the token and the further
// parts.
func (s signed) matches(token string, parts ...string) bool {
	want := sign(append([]string{token, s.timestamp, s.nonce}, parts...)...)
	return subtle.ConstantTimeCompare([]byte(want), []byte(s.signature)) == 1
}

// sign returns WeChat's signature of its parts.
func sign(parts ...string) string {
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, ""))) //nolint:gosec // WeChat signs with SHA-1
	return hex.EncodeToString(sum[:])
}

// single returns the value of a parameter, and reports whether it occurs exactly once.
func single(query url.Values, name string) (string, bool) {
	values := query[name]
	if len(values) != 1 {
		return "", false
	}
	return values[0], true
}

// unverified returns an error for a push that is not WeChat's. The fault is empty unless
// the form of a value is wrong.
func unverified(fault string) error {
	if fault == "" {
		return fmt.Errorf("wechat: push: %w", ErrUnverified)
	}
	return fmt.Errorf("wechat: push: %w: %s", ErrUnverified, fault)
}
