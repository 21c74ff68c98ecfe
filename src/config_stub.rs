//! stub
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AppendFsync {
    Always,
    Everysec,
    No,
}
pub struct Config {
    pub port: u16,
    pub dir: String,
    pub appendfsync: AppendFsync,
    pub requirepass: String,
    pub proto_max_bulk_len: u64,
    pub hz: u64,
    pub tcp_keepalive: u64,
    pub maxmemory: u64,
    pub wb: usize,
}
impl Config {
    pub fn parse() -> Config {
        let a: Vec<String> = std::env::args().collect();
        let get = |n: &str, d: &str| {
            a.iter()
                .position(|x| x == n)
                .map_or(d.to_string(), |i| a[i + 1].clone())
        };
        Config {
            port: get("--port", "7000").parse().unwrap(),
            dir: get("--dir", "data"),
            appendfsync: match &get("--appendfsync", "everysec")[..] {
                "always" => AppendFsync::Always,
                "no" => AppendFsync::No,
                _ => AppendFsync::Everysec,
            },
            requirepass: String::new(),
            proto_max_bulk_len: 512 << 20,
            hz: 10,
            tcp_keepalive: 300,
            maxmemory: get("--maxmemory", "8000000000").parse().unwrap(),
            wb: get("--wb", "33554432").parse().unwrap(),
        }
    }
}
