//! WebAssembly binaries as a row of sections, and back.

/// Magic number, version and layer.
const HEADER: usize = 8;
/// Section numbers of the binary format.
pub(crate) const CUSTOM: u8 = 0;
/// In a component.
pub(crate) const CORE_MODULE: u8 = 1;
const COMPONENT: u8 = 4;
/// In a core module.
pub(crate) const CODE: u8 = 10;
pub(crate) const DATA: u8 = 11;

#[derive(Debug, Clone)]
pub(crate) struct Section {
    pub(crate) id: u8,
    pub(crate) payload: Vec<u8>,
}

/// A module or a component.
#[derive(Debug, Clone)]
pub(crate) struct Binary {
    header: Vec<u8>,
    pub(crate) sections: Vec<Section>,
}

impl Binary {
    /// Nothing for bytes that are no row of whole sections.
    pub(crate) fn split(bytes: &[u8]) -> Option<Binary> {
        let (header, mut rest) = bytes.split_at_checked(HEADER)?;
        let mut sections = Vec::new();
        while let Some((&id, after)) = rest.split_first() {
            let (length, after) = read_length(after)?;
            let (payload, after) = after.split_at_checked(length)?;
            sections.push(Section {
                id,
                payload: payload.to_vec(),
            });
            rest = after;
        }
        Some(Binary {
            header: header.to_vec(),
            sections,
        })
    }

    pub(crate) fn join(&self) -> Vec<u8> {
        let mut bytes = self.header.clone();
        for section in &self.sections {
            bytes.push(section.id);
            write_length(&mut bytes, section.payload.len());
            bytes.extend_from_slice(&section.payload);
        }
        bytes
    }

    /// The place of its largest core module: the one that holds the plugin's own code.
    pub(crate) fn main_module(&self) -> Option<usize> {
        let modules = self.sections.iter().enumerate();
        modules
            .filter(|(_, section)| section.id == CORE_MODULE)
            .max_by_key(|(_, section)| section.payload.len())
            .map(|(place, _)| place)
    }
}

/// The same without names, producers and other custom sections, which only take time to mutate.
pub(crate) fn without_custom(bytes: &[u8]) -> Vec<u8> {
    let Some(mut binary) = Binary::split(bytes) else {
        return bytes.to_vec();
    };
    // Bytes 6 and 7 say whether it is a module, whose section 1 holds types, or a component.
    let is_component = binary.header.get(6) == Some(&1);
    binary.sections.retain(|section| section.id != CUSTOM);
    for section in &mut binary.sections {
        if is_component && matches!(section.id, CORE_MODULE | COMPONENT) {
            section.payload = without_custom(&section.payload);
        }
    }
    binary.join()
}

fn read_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut length = 0;
    for (i, &byte) in bytes.iter().take(5).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Some((length, bytes.get(i + 1..)?));
        }
    }
    None
}

fn write_length(bytes: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        bytes.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
}
