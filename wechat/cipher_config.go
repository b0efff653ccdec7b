package wechat

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
)

const (
	digits       = "0123456789"
	alphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" + digits
)

// CipherConfig holds an account's settings for messages and events ("服务器配置"). It
// prints, logs and marshals without its secrets.
type CipherConfig struct {
	// AppID is the account's AppID.
	AppID string
	// Token signs the pushes: 3 to 32 letters and digits. The developer chooses it, so
	// choose at least 16 random characters. A token that can be guessed lets an attacker
	// sign.
	Token string
	// EncodingAESKey encrypts the messages: 43 letters and digits.
	EncodingAESKey string
	// FormerEncodingAESKey is the key before the last change, or empty. WeChat still
	// sends messages under it for a while.
	FormerEncodingAESKey string
}

// String returns the account's AppID.
func (c CipherConfig) String() string { return c.AppID }

// GoString implements [fmt.GoStringer] without the secrets.
func (c CipherConfig) GoString() string {
	return fmt.Sprintf("wechat.CipherConfig{AppID:%q, Token:%q}", c.AppID, redacted)
}

// LogValue implements [slog.LogValuer] without the secrets.
func (c CipherConfig) LogValue() slog.Value {
	return slog.GroupValue(slog.String("app_id", c.AppID))
}

// MarshalText implements [encoding.TextMarshaler]. It returns the AppID only.
func (c CipherConfig) MarshalText() ([]byte, error) { return []byte(c.AppID), nil }

// Validate returns an error that names each field at fault and quotes no secret.
// [NewCipher] returns it as well.
func (c CipherConfig) Validate() error {
	var appID, token, key, former error
	if !isAppID(c.AppID) {
		appID = errors.New(`CipherConfig.AppID is not "wx" and 16 characters of a-z and 0-9`)
	}
	if len(c.Token) < 3 || len(c.Token) > 32 || !consistsOf(c.Token, alphanumeric) {
		token = errors.New("CipherConfig.Token is not 3 to 32 letters and digits")
	}
	if decodeKey(c.EncodingAESKey) == nil {
		key = errors.New("CipherConfig.EncodingAESKey is not 43 letters and digits")
	}
	if c.FormerEncodingAESKey != "" && decodeKey(c.FormerEncodingAESKey) == nil {
		former = errors.New("CipherConfig.FormerEncodingAESKey is not 43 letters and digits")
	}
	return faults(appID, token, key, former)
}

// decodeKey returns the AES key of an EncodingAESKey, or nil if it is malformed.
func decodeKey(encoded string) []byte {
	if len(encoded) != 43 || !consistsOf(encoded, alphanumeric) {
		return nil
	}
	// Not strict: the last character has two bits more than the key, and WeChat does not
	// set them to zero.
	key, err := base64.StdEncoding.DecodeString(encoded + "=")
	if err != nil {
		return nil
	}
	return key
}
