//! What a gateway is told and asked (WANIPConnection:2 §2.5, WANIPv6FirewallControl:1 §2.5), as SOAP (UDA 1.1 §3).

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

use super::{
    answer_error::AnswerError, error_code::ErrorCode, http::Response, service::Service, xml,
};
use crate::gateway::{failure::MappingFailure, port::InternalPort};

/// An action of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    AddMapping {
        port: InternalPort,
        external_port: u16,
        client: IpAddr,
        /// Zero for ever.
        lease_s: u32,
        description: String,
    },
    AddPinhole {
        port: InternalPort,
        client: Ipv6Addr,
        lease_s: u32,
    },
    DeleteMapping {
        port: InternalPort,
        external_port: u16,
    },
    DeletePinhole {
        id: u16,
    },
    ExternalAddress,
    /// Whether there is such a mapping.
    FindMapping {
        port: InternalPort,
        external_port: u16,
    },
    FirewallStatus,
    UpdatePinhole {
        id: u16,
        lease_s: u32,
    },
}

impl Action {
    /// The header `SOAPACTION` and the envelope.
    pub(crate) fn encode(&self, service: &Service) -> (String, String) {
        let (name, service) = (self.name(), service.type_name());
        let arguments = self.arguments().into_iter().map(|(name, value)| {
            let value = xml::escape(&value);
            format!("<{name}>{value}</{name}>")
        });
        let arguments: String = arguments.collect();
        let envelope = format!(
            "<?xml version=\"1.0\"?>\r\n\
             <s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body>\
             <u:{name} xmlns:u=\"{service}\">{arguments}</u:{name}></s:Body></s:Envelope>\r\n"
        );
        (format!("{service}#{name}"), envelope)
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::AddMapping { .. } => "AddPortMapping",
            Self::AddPinhole { .. } => "AddPinhole",
            Self::DeleteMapping { .. } => "DeletePortMapping",
            Self::DeletePinhole { .. } => "DeletePinhole",
            Self::ExternalAddress => "GetExternalIPAddress",
            Self::FindMapping { .. } => "GetSpecificPortMappingEntry",
            Self::FirewallStatus => "GetFirewallStatus",
            Self::UpdatePinhole { .. } => "UpdatePinhole",
        }
    }

    fn arguments(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::AddMapping {
                port,
                external_port,
                client,
                lease_s,
                description,
            } => {
                let mut arguments = mapping(*port, *external_port);
                arguments.extend([
                    ("NewInternalPort", port.number.to_string()),
                    ("NewInternalClient", client.to_string()),
                    ("NewEnabled", "1".to_owned()),
                    ("NewPortMappingDescription", description.clone()),
                    ("NewLeaseDuration", lease_s.to_string()),
                ]);
                arguments
            }
            Self::AddPinhole {
                port,
                client,
                lease_s,
            } => vec![
                ("RemoteHost", String::new()),
                ("RemotePort", "0".to_owned()),
                ("InternalClient", client.to_string()),
                ("InternalPort", port.number.to_string()),
                ("Protocol", port.protocol.number().to_string()),
                ("LeaseTime", lease_s.to_string()),
            ],
            Self::DeleteMapping {
                port,
                external_port,
            }
            | Self::FindMapping {
                port,
                external_port,
            } => mapping(*port, *external_port),
            Self::DeletePinhole { id } => vec![("UniqueID", id.to_string())],
            Self::ExternalAddress | Self::FirewallStatus => Vec::new(),
            Self::UpdatePinhole { id, lease_s } => vec![
                ("UniqueID", id.to_string()),
                ("NewLeaseTime", lease_s.to_string()),
            ],
        }
    }
}

/// By which a mapping is known.
fn mapping(port: InternalPort, external_port: u16) -> Vec<(&'static str, String)> {
    vec![
        ("NewRemoteHost", String::new()),
        ("NewExternalPort", external_port.to_string()),
        ("NewProtocol", port.protocol.to_string()),
    ]
}

/// What a gateway answers to an action.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Arguments(BTreeMap<String, String>);

impl Arguments {
    /// Reads the answer to `action`.
    ///
    /// # Errors
    ///
    /// [`MappingFailure::Upnp`] where the gateway refused, and [`MappingFailure::Answer`].
    pub(crate) fn read(action: &Action, response: &Response) -> Result<Self, MappingFailure> {
        let unusable = |source| MappingFailure::Answer { source };
        let status = response.status;
        let document = xml::parse(&response.body).map_err(|error| match status {
            200 => unusable(error),
            _ => unusable(AnswerError::Status { status }),
        })?;
        let mut elements = document.descendants().filter(roxmltree::Node::is_element);
        let code = elements
            .clone()
            .find(|node| node.tag_name().name() == "errorCode");
        if let Some(code) = code {
            let code = code.text().and_then(|code| code.trim().parse().ok());
            let code = code.ok_or(AnswerError::Argument { name: "errorCode" });
            let code = ErrorCode::new(code.map_err(unusable)?);
            return Err(MappingFailure::Upnp { code });
        }
        if status != 200 {
            return Err(unusable(AnswerError::Status { status }));
        }
        let name = format!("{}Response", action.name());
        let answer = elements.find(|node| node.tag_name().name() == name);
        let answer = answer.ok_or_else(|| unusable(AnswerError::Xml))?;
        let arguments = answer.children().filter(roxmltree::Node::is_element);
        let arguments = arguments.take(MAX_ARGUMENTS).map(|node| {
            let value = node.text().unwrap_or_default().trim();
            (node.tag_name().name().to_owned(), value.to_owned())
        });
        Ok(Self(arguments.collect()))
    }

    /// One of them as what it should be.
    pub(crate) fn take<T: FromStr>(&self, name: &'static str) -> Result<T, MappingFailure> {
        let value = self.0.get(name).and_then(|value| value.parse().ok());
        let source = AnswerError::Argument { name };
        value.ok_or(MappingFailure::Answer { source })
    }

    #[cfg(test)]
    pub(crate) fn of<const N: usize>(arguments: [(&str, &str); N]) -> Self {
        let arguments = arguments.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self(arguments.into())
    }
}

/// The longest answer of the standard has eight.
const MAX_ARGUMENTS: usize = 32;

#[cfg(test)]
mod tests;
