//! What of the two protobufs of A2A names something: by the numbers of `a2a.v1` (0.3) and `lf.a2a.v1` (1.0).

/// A message in which something is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// `AuthenticationInfo`: of 0.3 with many schemes, of 1.0 with one.
    Authentication,
    /// Nothing is named.
    Empty,
    /// `id` is the task (`GetTaskRequest` and others of 1.0), or `task_id` is, at the same number.
    ByTask,
    /// `GetExtendedAgentCardRequest` of 1.0.
    Card,
    /// `TaskPushNotificationConfig` of 1.0, as a request.
    Config,
    /// The same within the configuration of a message.
    ConfigOfMessage,
    /// `SendMessageConfiguration` of 0.3.
    ConfigurationOf0_3,
    /// `SendMessageConfiguration` of 1.0.
    ConfigurationOf1_0,
    /// `CreateTaskPushNotificationConfigRequest` of 0.3.
    CreateConfig,
    /// `PushNotificationConfig` of 0.3.
    Hook,
    /// `ListTaskPushNotificationConfigsRequest` of 1.0.
    ListConfigs,
    /// `ListTasksRequest` of 1.0.
    ListTasks,
    /// `Message` of 0.3.
    MessageOf0_3,
    /// `Message` of 1.0.
    MessageOf1_0,
    /// `name` or `parent` is the resource (`GetTaskRequest` and others of 0.3).
    Named,
    /// `TaskPushNotificationConfig` of 0.3.
    NamedConfig,
    /// `SendMessageRequest` of 0.3.
    SendOf0_3,
    /// `SendMessageRequest` of 1.0.
    SendOf1_0,
}

/// A field that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Config(Level),
    ConfigName,
    ConfigTask,
    Configuration(Level),
    Context,
    Hook(Level),
    HookAuthentication(Level),
    HookCredentials,
    HookScheme,
    HookToken,
    HookUrl,
    Message(Level),
    MessageTask,
    Metadata,
    Name,
    Reference,
    Task,
    Tenant,
    /// Of a push configuration within a message.
    TenantOfConfig,
}

impl Field {
    /// A number of its own, below 32.
    pub(super) const fn index(self) -> u32 {
        match self {
            Self::Config(_) => 0,
            Self::ConfigName => 1,
            Self::ConfigTask => 2,
            Self::Configuration(_) => 3,
            Self::Context => 4,
            Self::Message(_) => 5,
            Self::MessageTask => 6,
            Self::Metadata => 7,
            Self::Name => 8,
            Self::Reference => 9,
            Self::Task => 10,
            Self::Hook(_) => 11,
            Self::HookAuthentication(_) => 12,
            Self::HookCredentials => 13,
            Self::HookScheme => 14,
            Self::HookToken => 15,
            Self::HookUrl => 16,
            Self::Tenant => 17,
            Self::TenantOfConfig => 18,
        }
    }
}

impl Level {
    /// The fields that matter, by their numbers.
    pub(super) const fn fields(self) -> &'static [(u32, Field)] {
        match self {
            Self::Authentication => &[(1, Field::HookScheme), (2, Field::HookCredentials)],
            Self::Empty => &[],
            Self::ByTask => &[(1, Field::Tenant), (2, Field::Task)],
            Self::Card => &[(1, Field::Tenant)],
            Self::Config => &[
                (1, Field::Tenant),
                (3, Field::Task),
                (4, Field::HookUrl),
                (5, Field::HookToken),
                (6, Field::HookAuthentication(Self::Authentication)),
            ],
            Self::ConfigOfMessage => &[
                (1, Field::TenantOfConfig),
                (3, Field::ConfigTask),
                (4, Field::HookUrl),
                (5, Field::HookToken),
                (6, Field::HookAuthentication(Self::Authentication)),
            ],
            Self::ConfigurationOf0_3 => &[(2, Field::Hook(Self::Hook))],
            Self::ConfigurationOf1_0 => &[(2, Field::Config(Self::ConfigOfMessage))],
            Self::CreateConfig => &[(1, Field::Name), (3, Field::Config(Self::NamedConfig))],
            Self::Hook => &[
                (2, Field::HookUrl),
                (3, Field::HookToken),
                (4, Field::HookAuthentication(Self::Authentication)),
            ],
            Self::ListConfigs => &[(1, Field::Task), (4, Field::Tenant)],
            Self::ListTasks => &[(1, Field::Tenant), (2, Field::Context)],
            Self::MessageOf0_3 => &[
                (2, Field::Context),
                (3, Field::MessageTask),
                (6, Field::Metadata),
            ],
            Self::MessageOf1_0 => &[
                (2, Field::Context),
                (3, Field::MessageTask),
                (6, Field::Metadata),
                (8, Field::Reference),
            ],
            Self::Named => &[(1, Field::Name)],
            Self::NamedConfig => &[(1, Field::ConfigName), (2, Field::Hook(Self::Hook))],
            Self::SendOf0_3 => &[
                (1, Field::Message(Self::MessageOf0_3)),
                (2, Field::Configuration(Self::ConfigurationOf0_3)),
            ],
            Self::SendOf1_0 => &[
                (1, Field::Tenant),
                (2, Field::Message(Self::MessageOf1_0)),
                (3, Field::Configuration(Self::ConfigurationOf1_0)),
            ],
        }
    }
}

/// The methods of `a2a.v1.A2AService`, their canonical names, and their requests.
pub(super) const METHODS_OF_0_3: &[(&str, &str, Level)] = &[
    ("CancelTask", "CancelTask", Level::Named),
    (
        "CreateTaskPushNotificationConfig",
        "CreateTaskPushNotificationConfig",
        Level::CreateConfig,
    ),
    (
        "DeleteTaskPushNotificationConfig",
        "DeleteTaskPushNotificationConfig",
        Level::Named,
    ),
    // The extended card, where there is one: the public one is fetched over HTTP.
    ("GetAgentCard", "GetExtendedAgentCard", Level::Empty),
    ("GetTask", "GetTask", Level::Named),
    (
        "GetTaskPushNotificationConfig",
        "GetTaskPushNotificationConfig",
        Level::Named,
    ),
    (
        "ListTaskPushNotificationConfig",
        "ListTaskPushNotificationConfigs",
        Level::Named,
    ),
    ("SendMessage", "SendMessage", Level::SendOf0_3),
    (
        "SendStreamingMessage",
        "SendStreamingMessage",
        Level::SendOf0_3,
    ),
    ("TaskSubscription", "SubscribeToTask", Level::Named),
];

/// The methods of `lf.a2a.v1.A2AService`.
pub(super) const METHODS_OF_1_0: &[(&str, &str, Level)] = &[
    ("CancelTask", "CancelTask", Level::ByTask),
    (
        "CreateTaskPushNotificationConfig",
        "CreateTaskPushNotificationConfig",
        Level::Config,
    ),
    (
        "DeleteTaskPushNotificationConfig",
        "DeleteTaskPushNotificationConfig",
        Level::ByTask,
    ),
    ("GetExtendedAgentCard", "GetExtendedAgentCard", Level::Card),
    ("GetTask", "GetTask", Level::ByTask),
    (
        "GetTaskPushNotificationConfig",
        "GetTaskPushNotificationConfig",
        Level::ByTask,
    ),
    (
        "ListTaskPushNotificationConfigs",
        "ListTaskPushNotificationConfigs",
        Level::ListConfigs,
    ),
    ("ListTasks", "ListTasks", Level::ListTasks),
    ("SendMessage", "SendMessage", Level::SendOf1_0),
    (
        "SendStreamingMessage",
        "SendStreamingMessage",
        Level::SendOf1_0,
    ),
    ("SubscribeToTask", "SubscribeToTask", Level::ByTask),
];
