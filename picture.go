package scangate

import (
	"slices"
	"strings"
)

// cleanAvatarURL returns s as an https URL of at most 1,024 bytes, or "" if it is not
// one. WeChat still returns http for some pictures.
func cleanAvatarURL(s string) string {
	if rest, ok := strings.CutPrefix(s, "http://"); ok {
		s = "https://" + rest
	}
	if len(s) > 1024 || !strings.HasPrefix(s, "https://") || strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return ""
	}
	return s
}

// pictureHosts are the origins of WeChat's profile pictures. The pages load no picture
// from elsewhere: it would show the user's address to a host of the user's choice.
var pictureHosts = []string{"https://thirdwx.qlogo.cn", "https://wx.qlogo.cn"}

// pictureURL returns the avatar's URL if a page may show it, or "".
func pictureURL(s string) string {
	s = cleanAvatarURL(s)
	if !slices.ContainsFunc(pictureHosts, func(host string) bool { return strings.HasPrefix(s, host+"/") }) {
		return ""
	}
	return s
}
