// Package compat has no code, only tests. They run other people's WeChat clients against
// package wechattest, and their encryption of messages against package wechat. README.md
// lists the clients.
package compat
