// Package recipes has short answers to questions that come up beside the gate. Each file is
// one recipe, to be copied into an application and changed there. The tests run all of them
// against a simulated WeChat.
//
//	own_login.go   a login by password beside WeChat, on the application's own login page
//	roles.go       roles in the session, from the login on
//	front_end.go   a front end on another host or port (CORS), and Vite's proxy
//	sites.go       several sites of one domain with one login
//	sms_aliyun.go  one-time codes by Alibaba Cloud (阿里云短信)
//	sms_tencent.go one-time codes by Tencent Cloud (腾讯云短信)
//
// The modules gin, echo, echov5 and chi beside this folder have groups of public and private
// routes and loggers without queries. The module sql has users in a database, and a row of the
// application's own for each new user. The modules jwt and otel have tokens of the
// application's own and traces.
package recipes
