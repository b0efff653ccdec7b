// In development the browser knows one origin, Vite's, and no CORS is needed. Set
// Config.PublicURL to http://localhost:5173, the address that the browser opens.
export default {
  server: {
    port: 5173,
    strictPort: true, // another port would not be PublicURL's
    proxy: {
      // An object each, because Vite replaces the Host for a plain string. The gate compares
      // the request's Host with its Origin.
      "/wechat": { target: "http://localhost:8080", changeOrigin: false },
      "/api": { target: "http://localhost:8080", changeOrigin: false },
    },
  },
};
