package wechattest

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // WeChat signs with SHA-1
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
)

// This file does not use [wechat.Cipher], so that a bug there does not hide one in an
// application's messages.

// sign returns WeChat's signature of its parts.
func sign(parts ...string) string {
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, ""))) //nolint:gosec // WeChat signs with SHA-1
	return hex.EncodeToString(sum[:])
}

// aesKey returns the AES key of an EncodingAESKey.
func aesKey(encoded string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(encoded + "=")
	if err != nil || len(key) != 32 {
		return nil, errors.New("EncodingAESKey is not 43 letters and digits")
	}
	return key, nil
}

// encrypt returns the value of Encrypt for a text: base64 of the encrypted sequence of 16
// random bytes, the length, the text and the AppID, padded to a multiple of 32 bytes.
func encrypt(key []byte, text []byte, appID string) string {
	plain := make([]byte, 16)
	_, _ = rand.Read(plain) // never fails
	plain = binary.BigEndian.AppendUint32(plain, uint32(len(text)))
	plain = slices.Concat(plain, text, []byte(appID))
	n := 32 - len(plain)%32
	plain = append(plain, bytes.Repeat([]byte{byte(n)}, n)...)
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("wechattest: " + err.Error()) // aesKey checks the size
	}
	cipher.NewCBCEncrypter(block, key[:16]).CryptBlocks(plain, plain)
	return base64.StdEncoding.EncodeToString(plain)
}

// decrypt returns the text in a value of Encrypt.
func decrypt(key []byte, encrypted, appID string) ([]byte, error) {
	sealed, err := base64.StdEncoding.DecodeString(encrypted)
	if err != nil || len(sealed) == 0 || len(sealed)%32 != 0 {
		return nil, errors.New("the value of Encrypt is not base64 of a multiple of 32 bytes")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	plain := make([]byte, len(sealed))
	cipher.NewCBCDecrypter(block, key[:16]).CryptBlocks(plain, sealed)
	n := int(plain[len(plain)-1])
	if n < 1 || n > 32 || n > len(plain)-20 {
		return nil, errors.New("the value of Encrypt is encrypted with another key")
	}
	length, rest := int(binary.BigEndian.Uint32(plain[16:20])), plain[20:len(plain)-n]
	if length > len(rest) || string(rest[length:]) != appID {
		return nil, errors.New("the value of Encrypt is encrypted with another key or for another AppID")
	}
	return rest[:length], nil
}
